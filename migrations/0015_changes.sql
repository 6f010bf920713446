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
