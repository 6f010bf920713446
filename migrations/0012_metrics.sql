-- What is measured: requests, publishing, money, and what became of posts on X.

-- What only rises, since the beginning. A row is a series, or one bucket of it; whoever counts adds
-- what has come together in batches.
CREATE TABLE counters (
    counter TEXT NOT NULL,
    -- the values of its labels, separated by spaces
    labels TEXT NOT NULL,
    -- which bucket of durations; 0 where durations are not measured
    bucket INTEGER NOT NULL,
    events INTEGER NOT NULL,
    -- how long they took together
    microseconds INTEGER NOT NULL,
    -- when the last of them happened
    last_at INTEGER NOT NULL,
    PRIMARY KEY (counter, labels, bucket)
) STRICT, WITHOUT ROWID;

-- Posts by bot and state, kept by the triggers below: counting posts would read them all.
CREATE TABLE post_counts (
    bot_id TEXT NOT NULL,
    state TEXT NOT NULL,
    posts INTEGER NOT NULL,
    PRIMARY KEY (bot_id, state)
) STRICT, WITHOUT ROWID;

INSERT INTO post_counts (bot_id, state, posts)
SELECT bot_id, state, count(*) FROM posts GROUP BY bot_id, state;

CREATE TRIGGER posts_are_counted AFTER INSERT ON posts
BEGIN
    INSERT INTO post_counts (bot_id, state, posts) VALUES (NEW.bot_id, NEW.state, 1)
    ON CONFLICT (bot_id, state) DO UPDATE SET posts = posts + 1;
END;

CREATE TRIGGER posts_are_counted_again AFTER UPDATE OF state ON posts WHEN OLD.state <> NEW.state
BEGIN
    UPDATE post_counts SET posts = posts - 1 WHERE bot_id = OLD.bot_id AND state = OLD.state;
    INSERT INTO post_counts (bot_id, state, posts) VALUES (NEW.bot_id, NEW.state, 1)
    ON CONFLICT (bot_id, state) DO UPDATE SET posts = posts + 1;
END;

CREATE TRIGGER posts_are_counted_no_more AFTER DELETE ON posts
BEGIN
    UPDATE post_counts SET posts = posts - 1 WHERE bot_id = OLD.bot_id AND state = OLD.state;
END;

CREATE INDEX posts_published ON posts (bot_id, published_at) WHERE state = 'published';
CREATE INDEX posts_failed ON posts (bot_id, updated_at) WHERE state = 'failed';

-- What X is owed by its price list, by day (UTC, YYYY-MM-DD) and what it was spent on.
CREATE TABLE x_spending (
    day TEXT NOT NULL,
    purpose TEXT NOT NULL,
    requests INTEGER NOT NULL,
    -- posts or accounts that were read or made
    resources INTEGER NOT NULL,
    -- millionths of a dollar
    micro_dollars INTEGER NOT NULL,
    PRIMARY KEY (day, purpose)
) STRICT, WITHOUT ROWID;

-- What X's last answers said about the calls that are left.
CREATE TABLE x_rate_limits (
    bot_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    -- 'window' (15 minutes), 'user_day' or 'app_day'
    span TEXT NOT NULL,
    quota INTEGER NOT NULL,
    remaining INTEGER NOT NULL,
    reset_at INTEGER NOT NULL,
    PRIMARY KEY (bot_id, endpoint, span)
) STRICT, WITHOUT ROWID;

-- The counts that X showed last of each part that is on X. They may go down again.
CREATE TABLE post_metrics (
    post_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    bot_id TEXT NOT NULL,
    x_post_id TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    -- when it is read next; NULL: no more
    next_reading_at INTEGER,
    -- NULL before the first reading
    read_at INTEGER,
    -- how often in succession X did not show it
    missed INTEGER NOT NULL DEFAULT 0,
    impressions INTEGER NOT NULL DEFAULT 0,
    likes INTEGER NOT NULL DEFAULT 0,
    reposts INTEGER NOT NULL DEFAULT 0,
    replies INTEGER NOT NULL DEFAULT 0,
    quotes INTEGER NOT NULL DEFAULT 0,
    bookmarks INTEGER NOT NULL DEFAULT 0,
    fencing_token INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (post_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX post_metrics_due ON post_metrics (next_reading_at) WHERE next_reading_at IS NOT NULL;
CREATE INDEX post_metrics_due_of_bot ON post_metrics (bot_id, next_reading_at)
    WHERE next_reading_at IS NOT NULL;

-- What is on X already is read from now on, while it is younger than 30 days.
INSERT INTO post_metrics (post_id, position, bot_id, x_post_id, published_at, next_reading_at)
SELECT n.post_id, n.position, p.bot_id, n.x_post_id, coalesce(p.published_at, p.updated_at),
    CAST(unixepoch('subsec') * 1000 AS INTEGER)
FROM post_parts n JOIN posts p ON p.post_id = n.post_id
WHERE n.x_post_id IS NOT NULL
    AND coalesce(p.published_at, p.updated_at)
        > CAST(unixepoch('subsec') * 1000 AS INTEGER) - 2592000000;

-- The counts at each reading. There are few: a post is read seldom, and ever more so.
CREATE TABLE post_readings (
    post_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    read_at INTEGER NOT NULL,
    impressions INTEGER NOT NULL,
    likes INTEGER NOT NULL,
    reposts INTEGER NOT NULL,
    replies INTEGER NOT NULL,
    quotes INTEGER NOT NULL,
    bookmarks INTEGER NOT NULL,
    PRIMARY KEY (post_id, position, read_at)
) STRICT, WITHOUT ROWID;

-- By how much a bot's counts have changed in each hour's readings: its series over time.
CREATE TABLE bot_metric_hours (
    bot_id TEXT NOT NULL,
    -- the hour's beginning
    hour INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    impressions INTEGER NOT NULL,
    likes INTEGER NOT NULL,
    reposts INTEGER NOT NULL,
    replies INTEGER NOT NULL,
    quotes INTEGER NOT NULL,
    bookmarks INTEGER NOT NULL,
    PRIMARY KEY (bot_id, hour)
) STRICT, WITHOUT ROWID;

-- The sums over a bot's hours, which are those over its posts.
CREATE TABLE bot_metrics (
    bot_id TEXT PRIMARY KEY,
    readings INTEGER NOT NULL,
    impressions INTEGER NOT NULL,
    likes INTEGER NOT NULL,
    reposts INTEGER NOT NULL,
    replies INTEGER NOT NULL,
    quotes INTEGER NOT NULL,
    bookmarks INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Until when nobody reads, and why: a limit of the application, or its credits.
CREATE TABLE collector_stop (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    until INTEGER NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

INSERT INTO collector_stop (only, until, code, detail) VALUES (1, 0, '', '');
