-- Settings that were set here. A row a version: what holds for a service is its highest version,
-- and a service without a row has its defaults (version 0).

CREATE TABLE settings (
    -- Rises with every change of any service: readers compare it with what they have read.
    change_number INTEGER PRIMARY KEY AUTOINCREMENT,
    settings_id TEXT NOT NULL UNIQUE,
    service_name TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- JSON object: every setting that is set in this version, by name
    settings TEXT NOT NULL,
    -- 'update' or 'rollback'
    action TEXT NOT NULL,
    -- the version that a rollback brought back
    rolled_back_to INTEGER,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    UNIQUE (service_name, version)
) STRICT;

