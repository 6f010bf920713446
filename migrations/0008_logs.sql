-- What is logged, and the queue it passes through.

-- Records that the log writer has not sorted away yet. They are redacted already.
CREATE TABLE log_queue (
    -- the order of arrival
    queue_id INTEGER PRIMARY KEY,
    log_id TEXT NOT NULL,
    log_type TEXT NOT NULL
        CHECK (log_type IN ('user_activity', 'debug', 'terminal', 'console')),
    level TEXT NOT NULL CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error')),
    service TEXT NOT NULL,
    -- whom it is about; empty when it is about nobody
    actor TEXT NOT NULL,
    message TEXT NOT NULL,
    -- JSON object
    data TEXT NOT NULL,
    -- the principal that handed it in; 'system' for the application's own records
    submitted_by TEXT NOT NULL
) STRICT;

-- The id is a UUIDv7: it holds the moment of arrival, so a range of ids is a range of time, and
-- every index below is in the order of time within its first column.
CREATE TABLE logs (
    log_id TEXT PRIMARY KEY,
    log_type TEXT NOT NULL
        CHECK (log_type IN ('user_activity', 'debug', 'terminal', 'console')),
    level TEXT NOT NULL CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error')),
    service TEXT NOT NULL,
    actor TEXT NOT NULL,
    message TEXT NOT NULL,
    data TEXT NOT NULL,
    submitted_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX logs_by_type ON logs (log_type, log_id);
CREATE INDEX logs_by_service ON logs (service, log_id);
CREATE INDEX logs_by_actor ON logs (actor, log_id) WHERE actor <> '';
-- What is rare and looked for.
CREATE INDEX logs_by_level ON logs (level, log_id) WHERE level IN ('warn', 'error');

-- Since the beginning, by category.
CREATE TABLE log_counters (
    log_type TEXT PRIMARY KEY,
    -- taken from the queue into the logs
    drained INTEGER NOT NULL DEFAULT 0,
    -- not kept because the queue was full
    dropped INTEGER NOT NULL DEFAULT 0,
    -- deleted when their time was over
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

INSERT INTO log_counters (log_type)
VALUES ('user_activity'), ('debug'), ('terminal'), ('console');

-- Who drains: one worker at a time, under a lease with a fencing token.
CREATE TABLE log_drain (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    fencing_token INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    -- when it is next looked for records whose time is over
    expire_at INTEGER NOT NULL
) STRICT;

INSERT INTO log_drain (only, fencing_token, leased_until, expire_at) VALUES (1, 0, 0, 0);
