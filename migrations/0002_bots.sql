-- Bots and what is needed to act as them.

CREATE TABLE bots (
    bot_id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    bot_name TEXT NOT NULL,
    handle TEXT,
    x_user_id TEXT,
    status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'needs_reauth', 'unconnected')),
    -- why it is paused or needs reauthorization: a stable code and a sentence for people
    status_code TEXT,
    status_detail TEXT,
    persona_id TEXT,
    timezone TEXT NOT NULL,
    daily_post_limit INTEGER NOT NULL,
    -- X answered 429: nothing is sent before this moment
    rate_limited_until INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX bots_by_owner ON bots (owner_id, bot_id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX bots_name ON bots (owner_id, bot_name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX bots_x_account ON bots (x_user_id) WHERE deleted_at IS NULL AND x_user_id IS NOT NULL;

-- Sealed data of a bot: an envelope whose associated data is the bot's id and the version.
CREATE TABLE botdata (
    bot_id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    wrapped_key BLOB NOT NULL,
    wrap_nonce BLOB NOT NULL,
    nonce BLOB NOT NULL,
    ciphertext BLOB NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX botdata_by_key ON botdata (key_id, bot_id);

-- An authorization under way (OAuth 2.0 with PKCE). The code verifier is derived, not stored.
CREATE TABLE oauth_states (
    -- SHA-256 of the state
    state_hash TEXT PRIMARY KEY,
    bot_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One token refresh at a time per bot: X's refresh tokens work once.
CREATE TABLE token_refreshes (
    bot_id TEXT PRIMARY KEY,
    fencing_token INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    -- backoff after an answer that was neither a new pair nor a refusal
    failures INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
