-- Access keys to this API. A row that is gone is a key that is revoked.

CREATE TABLE access_keys (
    access_key_id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- SHA-256 of the secret
    secret_hash TEXT NOT NULL,
    -- names of permissions, separated by spaces
    scopes TEXT NOT NULL,
    -- JSON list of the only bots that it may see; NULL: all of its owner's
    bot_ids TEXT,
    -- NULL: when it is revoked
    expires_at INTEGER,
    -- to the minute
    last_used_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX access_keys_by_owner ON access_keys (owner_id, access_key_id);

-- A session that an access key began (OAuth 2.0, client credentials) ends with the key, and may do
-- no more than these of the key's scopes.
ALTER TABLE sessions ADD COLUMN access_key_id TEXT;
ALTER TABLE sessions ADD COLUMN scopes TEXT;
