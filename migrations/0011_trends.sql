-- Trends: where topics are read from, what was read, and how each topic fares.

CREATE TABLE trend_sources (
    source_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('x_trends', 'feed', 'hacker_news', 'page')),
    -- what the kind needs, as JSON: a place, a list, an address, selectors and the permission
    target TEXT NOT NULL,
    -- two sources of one target would count everything twice
    target_key TEXT NOT NULL,
    -- BCP 47; NULL: as the source itself says
    language TEXT,
    -- NULL: as the source itself says
    category TEXT,
    -- how much a sighting here counts
    weight REAL NOT NULL,
    -- NULL: the setting's
    interval_seconds INTEGER,
    enabled INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX trend_sources_target ON trend_sources (target_key) WHERE deleted_at IS NULL;

-- What the scraper knows of a source: when it is next fetched, and how it fares.
CREATE TABLE trend_source_states (
    source_id TEXT PRIMARY KEY,
    next_fetch_at INTEGER NOT NULL,
    -- as the server asked (Retry-After): nobody fetches before, whoever asks
    not_before INTEGER NOT NULL DEFAULT 0,
    fencing_token INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0,
    -- validators of the last whole answer (RFC 9110, section 8.8)
    etag TEXT,
    last_modified TEXT,
    -- in a row, and what the last one was
    failures INTEGER NOT NULL DEFAULT 0,
    backoff_until INTEGER,
    last_attempt_at INTEGER,
    last_success_at INTEGER,
    -- when it last had something new
    last_item_at INTEGER,
    last_error_code TEXT,
    last_error_at INTEGER,
    last_http_status INTEGER,
    -- the server said that it is gone (410): only a person starts it again
    stopped_at INTEGER,
    -- since the beginning; those to X's API cost money
    requests INTEGER NOT NULL DEFAULT 0,
    items INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX trend_source_states_due ON trend_source_states (next_fetch_at)
    WHERE stopped_at IS NULL;

-- A server (scheme, host and port): what its robots.txt says to us, and when it is next asked.
CREATE TABLE scrape_hosts (
    origin TEXT PRIMARY KEY,
    -- the rules that are for us, as JSON; NULL: not known
    robots TEXT,
    robots_expires_at INTEGER NOT NULL DEFAULT 0,
    next_request_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Topics.
CREATE TABLE trends (
    trend_id TEXT PRIMARY KEY,
    -- the title's words, without case and punctuation
    topic_key TEXT NOT NULL,
    title TEXT NOT NULL,
    -- BCP 47, '' when nobody said
    language TEXT NOT NULL,
    category TEXT,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    sightings INTEGER NOT NULL,
    -- decayed sums of weights over the short and the long window, as of strength_at
    short_strength REAL NOT NULL,
    long_strength REAL NOT NULL,
    strength_at INTEGER NOT NULL,
    -- as of scored_at
    momentum REAL NOT NULL,
    scored_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX trends_topic ON trends (topic_key, language);
CREATE INDEX trends_by_momentum ON trends (momentum, trend_id);
CREATE INDEX trends_by_last_seen ON trends (last_seen_at);

-- What sources showed. One entry of one source is one item, however often it is shown.
CREATE TABLE trend_items (
    item_id TEXT PRIMARY KEY,
    source_id TEXT NOT NULL,
    -- what makes it the same entry the next time
    item_key TEXT NOT NULL,
    title TEXT NOT NULL,
    summary TEXT NOT NULL,
    url TEXT,
    -- the address without scheme, www and tracking: the same story elsewhere has the same
    url_key TEXT,
    -- what the source says of it, in its own measure: posts, searches, points
    volume INTEGER,
    -- articles that a trend's feed names, as JSON
    news TEXT,
    published_at INTEGER,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX trend_items_key ON trend_items (source_id, item_key);
CREATE INDEX trend_items_by_url ON trend_items (url_key) WHERE url_key IS NOT NULL;
CREATE INDEX trend_items_by_last_seen ON trend_items (last_seen_at);

-- Which items make a topic.
CREATE TABLE trend_topic_items (
    trend_id TEXT NOT NULL,
    item_id TEXT NOT NULL,
    PRIMARY KEY (trend_id, item_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX trend_topic_items_by_item ON trend_topic_items (item_id);

-- A topic's time series: quarters of an hour in which it was seen.
CREATE TABLE trend_points (
    trend_id TEXT NOT NULL,
    -- when the quarter begins
    began_at INTEGER NOT NULL,
    sightings INTEGER NOT NULL,
    weight REAL NOT NULL,
    -- after the last sighting in it
    momentum REAL NOT NULL,
    PRIMARY KEY (trend_id, began_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX trend_points_by_time ON trend_points (began_at);

-- When the scraper last scored every topic anew, and last deleted what is old.
CREATE TABLE trend_upkeep (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    scored_at INTEGER NOT NULL,
    expired_at INTEGER NOT NULL
) STRICT;

INSERT INTO trend_upkeep (only, scored_at, expired_at) VALUES (1, 0, 0);
