-- Passwords that are being hashed or compared at this moment, by any instance: each takes 19 MiB of
-- memory, so there is a limit to how many there may be (shared/domain/src/password_checks.rs).
CREATE TABLE password_checks (
    password_check_id TEXT NOT NULL PRIMARY KEY,
    -- When it no longer counts, whatever became of the instance.
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
