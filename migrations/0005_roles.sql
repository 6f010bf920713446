-- Roles beyond the built-in ones, which stand in the program. Who has which: user_roles.

CREATE TABLE roles (
    -- its name, by which user_roles knows it
    role TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    -- names of permissions, separated by spaces; one that the program no longer knows allows nothing
    permissions TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
