-- Lets an instance give an answer again that it has in memory, without reading what it was made of.

-- A number for each noun that answers are kept of: while it stands, no row of the noun has changed.
CREATE TABLE changes (
    noun TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO changes (noun, number) VALUES ('bots', 1);

CREATE TRIGGER bots_change_by_insert AFTER INSERT ON bots
BEGIN
    UPDATE changes SET number = number + 1 WHERE noun = 'bots';
END;

CREATE TRIGGER bots_change_by_update AFTER UPDATE ON bots
BEGIN
    UPDATE changes SET number = number + 1 WHERE noun = 'bots';
END;

CREATE TRIGGER bots_change_by_delete AFTER DELETE ON bots
BEGIN
    UPDATE changes SET number = number + 1 WHERE noun = 'bots';
END;

-- The last row of the audit trail before the key was taken: what the request that holds it has done
-- comes after, also where its client gives several requests one id.
ALTER TABLE idempotency_keys ADD COLUMN audit_after INTEGER NOT NULL DEFAULT 0;

-- What was written to a bot at the moment in which it was deleted, and has been there ever since.
DELETE FROM botdata WHERE bot_id IN (SELECT bot_id FROM bots WHERE deleted_at IS NOT NULL);

UPDATE posts SET state = 'cancelled', next_attempt_at = NULL, version = version + 1
WHERE state IN ('draft', 'awaiting_approval', 'scheduled')
    AND bot_id IN (SELECT bot_id FROM bots WHERE deleted_at IS NOT NULL);

-- What a feed asked for (`ttl`): an answer that it has not changed does not say it again.
ALTER TABLE trend_source_states ADD COLUMN minutes_between_fetches INTEGER;
