-- Who may do what, and who did what.

CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    username TEXT NOT NULL COLLATE NOCASE UNIQUE,
    -- PHC string (argon2id)
    password_hash TEXT NOT NULL,
    disabled_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user_roles (
    user_id TEXT NOT NULL,
    role TEXT NOT NULL,
    assigned_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, role)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_roles_by_role ON user_roles (role, user_id);

-- A session is a family of refresh tokens. Revoking it ends its access tokens at once.
CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoke_reason TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    -- SHA-256 of the token
    token_hash TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

-- One row a failed sign-in and subject: 'name:<username>' or 'address:<client address>'.
CREATE TABLE login_failures (
    login_failure_id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL,
    failed_at INTEGER NOT NULL
) STRICT;

CREATE INDEX login_failures_by_subject ON login_failures (subject, failed_at);

-- Public halves only. A key that is no longer current verifies until its last token has expired.
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    -- JSON Web Key (RFC 8037)
    public_key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
    audit_id INTEGER PRIMARY KEY AUTOINCREMENT,
    occurred_at INTEGER NOT NULL,
    -- 'user', 'access_key', 'service' or 'anonymous'
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    -- 'post.scheduled', 'user.created', ...
    action TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    -- JSON object
    detail TEXT NOT NULL,
    request_id TEXT NOT NULL
) STRICT;

CREATE INDEX audit_log_by_subject ON audit_log (subject_id, audit_id);

-- Spent tokens of a client's current window; instances take them in blocks.
CREATE TABLE rate_limits (
    client TEXT PRIMARY KEY,
    window_start INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    principal_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    -- SHA-256 over method, path and body
    request_hash TEXT NOT NULL,
    -- NULL while the first request is being answered
    status INTEGER,
    body TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal_id, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- What readiness looks at: when each worker last looked for work and found the database willing.
CREATE TABLE worker_claims (
    job TEXT PRIMARY KEY,
    claimed_at INTEGER NOT NULL,
    claimed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
