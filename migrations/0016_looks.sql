-- What looking for a post needs to know: on whose account it may be, and how it went so far.

-- Whose account the call was made for; nothing where X had not said it yet.
ALTER TABLE attempts ADD COLUMN x_user_id TEXT;

-- Looks in a row that read nothing: they back off and never count towards giving up.
ALTER TABLE posts ADD COLUMN look_failures INTEGER NOT NULL DEFAULT 0;

-- A person has decided that it is looked for on the account that the bot acts as now, and sent there.
ALTER TABLE posts ADD COLUMN look_on_any_account INTEGER NOT NULL DEFAULT 0;

-- The credentials with which these could be looked for went with their bots.
UPDATE posts SET state = 'failed', next_attempt_at = NULL, leased_until = 0,
    failure_code = 'bot_deleted',
    failure_detail = 'The bot was deleted before anybody knew whether X has the post.',
    version = version + 1
WHERE state = 'outcome_unknown'
    AND bot_id IN (SELECT bot_id FROM bots WHERE deleted_at IS NOT NULL);
