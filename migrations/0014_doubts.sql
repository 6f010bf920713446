-- What is looked at before something is done a second time.

-- The credentials' version for which X said whose account it is; of others it is asked again.
ALTER TABLE bots ADD COLUMN account_version INTEGER;

UPDATE bots SET account_version = (SELECT version FROM botdata WHERE bot_id = bots.bot_id)
WHERE x_user_id IS NOT NULL;

-- Whose audit rows show that a request whose answer was lost did what it was asked for.
ALTER TABLE idempotency_keys ADD COLUMN request_id TEXT NOT NULL DEFAULT '';

-- A bot's posts of the last 24 hours, also those that were found on X afterwards.
CREATE INDEX post_metrics_by_bot ON post_metrics (bot_id, published_at);
