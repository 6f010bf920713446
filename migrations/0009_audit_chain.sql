-- The audit trail as a chain of hashes.

-- SHA-256 over the hash before and the row, in hexadecimal; NULL until the row is sealed.
ALTER TABLE audit_log ADD COLUMN hash TEXT;

CREATE INDEX audit_log_by_time ON audit_log (occurred_at);
CREATE INDEX audit_log_by_actor ON audit_log (actor_id, occurred_at);
CREATE INDEX audit_log_by_action ON audit_log (action, occurred_at);

-- Where the chain ends: without it nobody would miss its last rows.
CREATE TABLE audit_head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- the last sealed row; 0 before the first
    audit_id INTEGER NOT NULL,
    -- how many rows are sealed
    sealed_rows INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;

INSERT INTO audit_head (only, audit_id, sealed_rows, hash)
VALUES (1, 0, 0, '0000000000000000000000000000000000000000000000000000000000000000');
