-- Posts, and every call made for them.

CREATE TABLE posts (
    post_id TEXT PRIMARY KEY,
    bot_id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'awaiting_approval', 'scheduled', 'publishing',
        'published', 'failed', 'outcome_unknown', 'cancelled')),
    requires_approval INTEGER NOT NULL DEFAULT 0,
    scheduled_at INTEGER NOT NULL,
    -- when it is next looked at: due, backing off or to be reconciled;
    -- NULL: only a person moves it on
    next_attempt_at INTEGER,
    published_at INTEGER,
    failure_code TEXT,
    failure_detail TEXT,
    -- attempts that count towards the last one (a rate limit does not)
    attempts_spent INTEGER NOT NULL DEFAULT 0,
    reconciliations INTEGER NOT NULL DEFAULT 0,
    fencing_token INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX posts_by_bot ON posts (bot_id, post_id);
-- The next post of a bot is the first entry here.
CREATE INDEX posts_scheduled ON posts (bot_id, scheduled_at, post_id) WHERE state = 'scheduled';
-- A bot with an entry here has a call in flight or one whose outcome is not known yet.
CREATE INDEX posts_in_flight ON posts (bot_id, next_attempt_at)
    WHERE state IN ('publishing', 'outcome_unknown');
CREATE INDEX posts_due ON posts (next_attempt_at) WHERE state = 'scheduled';

-- The posts of a thread; a plain post has one part.
CREATE TABLE post_parts (
    post_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    text TEXT NOT NULL,
    x_post_id TEXT,
    PRIMARY KEY (post_id, position)
) STRICT, WITHOUT ROWID;

-- Written before the call, completed after it.
CREATE TABLE attempts (
    post_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    bot_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    fencing_token INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT CHECK (outcome IN ('sent', 'refused', 'unknown', 'deferred')),
    http_status INTEGER,
    code TEXT,
    detail TEXT,
    x_post_id TEXT,
    PRIMARY KEY (post_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_sent ON attempts (bot_id, ended_at) WHERE outcome = 'sent';
