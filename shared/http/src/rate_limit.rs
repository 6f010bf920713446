//! The client rate limit, shared by all instances without a write per request.
//!
//! A client has `limit` tokens for each minute of the clock. An instance takes them from the
//! database in blocks and spends them from its own memory. A block is 1/256 of the limit and at
//! most 16 tokens, since an instance serves 128 requests in its life; with limits up to 511 it is
//! one token and the count is exact. Tokens that an instance took and never spent are lost to
//! the client: the limit is never exceeded, it may be undercut by a block an instance.

use std::cell::RefCell;
use std::collections::HashMap;

use vivesphere_db::{Database, Row, params};
use vivesphere_domain::Instant;

/// Milliseconds of a window.
const WINDOW: i64 = 60_000;
/// Clients remembered by one instance; more start over, which costs a database write each.
const REMEMBERED: usize = 1024;
/// The limit's share that one write takes.
const BLOCKS: i64 = 256;
/// Most tokens of a block.
const BLOCK: i64 = 16;

/// What is left for the client; becomes the `RateLimit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) limit: i64,
    pub(crate) remaining: i64,
    /// Seconds to the end of the window, at least 1.
    pub(crate) reset: i64,
    pub(crate) allowed: bool,
}

#[derive(Clone, Copy)]
struct Block {
    window_start: i64,
    /// Tokens in this instance's hands.
    held: i64,
    /// Tokens nobody had taken when this instance last asked.
    untaken: i64,
}

thread_local! {
    static BLOCKS_HELD: RefCell<HashMap<String, Block>> = RefCell::new(HashMap::new());
}

/// Spends one token of `client`.
pub(crate) async fn spend(
    db: &Database,
    client: &str,
    limit: i64,
    now: Instant,
) -> Result<Budget, vivesphere_db::Error> {
    let now = now.unix_millis();
    let window_start = now - now.rem_euclid(WINDOW);
    let reset = (window_start + WINDOW - now + 999) / 1000;
    let budget = |allowed, remaining| Budget {
        limit,
        remaining,
        reset,
        allowed,
    };
    if let Some(block) = from_memory(client, window_start) {
        return Ok(budget(block.0, block.1));
    }
    let size = (limit / BLOCKS).clamp(1, BLOCK);
    let row: Option<Row> = db
        .query_optional(
            "INSERT INTO rate_limits (client, window_start, used) VALUES (?1, ?2, ?3)
             ON CONFLICT (client) DO UPDATE SET
                used = CASE WHEN window_start = excluded.window_start
                    THEN min(used + excluded.used, ?4 + excluded.used) ELSE excluded.used END,
                window_start = excluded.window_start
             RETURNING used",
            params![client, window_start, size, limit],
        )
        .await?;
    let used: i64 = row.map_or(Ok(limit + size), |row| row.get(0))?;
    let granted = (limit - (used - size)).clamp(0, size);
    let untaken = (limit - used).max(0);
    let held = (granted - 1).max(0);
    BLOCKS_HELD.with_borrow_mut(|blocks| {
        if blocks.len() >= REMEMBERED {
            blocks.clear();
        }
        let block = blocks.entry(client.to_owned()).or_insert(Block {
            window_start,
            held: 0,
            untaken,
        });
        if block.window_start != window_start {
            block.window_start = window_start;
            block.held = 0;
        }
        block.held += held;
        block.untaken = untaken;
    });
    Ok(budget(granted > 0, held + untaken))
}

/// Answers from memory when a token is held, or when the window is known to be spent.
fn from_memory(client: &str, window_start: i64) -> Option<(bool, i64)> {
    BLOCKS_HELD.with_borrow_mut(|blocks| {
        let block = blocks.get_mut(client)?;
        if block.window_start != window_start {
            return None;
        }
        if block.held > 0 {
            block.held -= 1;
            return Some((true, block.held + block.untaken));
        }
        (block.untaken == 0).then_some((false, 0))
    })
}
