-- Keys of other providers: what people may see of one, and its envelope, whose associated data is
-- the id and the version.

CREATE TABLE apikeys (
    apikey_id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    last4 TEXT NOT NULL,
    version INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    wrap_nonce BLOB NOT NULL,
    nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    -- when the key itself was last replaced
    rotated_at INTEGER,
    -- to the minute
    last_used_at INTEGER,
    checked_at INTEGER,
    -- 'valid', 'refused', 'unknown' or 'not_checkable'
    check_result TEXT
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX apikeys_label ON apikeys (owner_id, provider, label);
CREATE INDEX apikeys_by_owner ON apikeys (owner_id, apikey_id);
CREATE INDEX apikeys_by_key ON apikeys (key_id, apikey_id);
