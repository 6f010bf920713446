//! A page's worth of numbers about the bots that somebody may see.

use std::collections::BTreeMap;

use vivesphere_db::{Database, Row, params};

use crate::permissions::Permission;
use crate::post_metrics::Counts;
use crate::x_spending::{self, Sum};
use crate::{Error, Instant, Principal, Scope};

const DAY: i64 = 86_400_000;

/// The numbers.
#[derive(Debug, Clone)]
pub struct Overview {
    /// By status.
    pub bots: BTreeMap<String, i64>,
    /// By state.
    pub posts: BTreeMap<String, i64>,
    /// Posts that went out on the current day (UTC).
    pub published_today: i64,
    /// Posts that were given up on the current day (UTC).
    pub failed_today: i64,
    /// What X showed last, over all posts.
    pub engagement: Counts,
    /// By purpose; only for whoever sees everyone's bots, since nothing says whose it was.
    pub spending: Option<BTreeMap<String, Sum>>,
}

/// The bots that the principal may see, as a condition on `b`.
const SEEN: &str = "b.deleted_at IS NULL AND (?1 IS NULL OR b.owner_id = ?1)
    AND (?2 IS NULL OR b.bot_id IN (SELECT value FROM json_each(?2)))";

async fn by_name(
    db: &Database,
    statement: String,
    principal: &Principal,
) -> Result<BTreeMap<String, i64>, Error> {
    let owner = principal.scope(Permission::BotsReadAll).owner();
    let rows: Vec<Row> = db
        .query(&statement, params![owner, principal.bots()])
        .await?;
    let mut numbers = BTreeMap::new();
    for row in rows {
        numbers.insert(row.text(0)?, row.get(1)?);
    }
    Ok(numbers)
}

/// Reads them.
///
/// # Errors
/// Storage.
pub async fn overview(db: &Database, principal: &Principal) -> Result<Overview, Error> {
    let scope = principal.scope(Permission::BotsReadAll);
    let bots = format!("SELECT b.status, count(*) FROM bots b WHERE {SEEN} GROUP BY b.status");
    let posts = format!(
        "SELECT c.state, sum(c.posts) FROM post_counts c JOIN bots b ON b.bot_id = c.bot_id
         WHERE {SEEN} AND c.posts > 0 GROUP BY c.state"
    );
    let now = Instant::now().unix_millis();
    let today = now - now.rem_euclid(DAY);
    let today_of = |condition: &str| {
        // CROSS: bot by bot, each of whose posts of today are found by an index. In the other order
        // SQLite reads every post that there ever was.
        format!(
            "SELECT count(*) FROM bots b CROSS JOIN posts p ON p.bot_id = b.bot_id
             WHERE {SEEN} AND {condition}"
        )
    };
    let published: Option<i64> = db
        .query_optional(
            &today_of("p.state = 'published' AND p.published_at >= ?3"),
            params![scope.owner(), principal.bots(), today],
        )
        .await?;
    let failed: Option<i64> = db
        .query_optional(
            &today_of("p.state = 'failed' AND p.updated_at >= ?3"),
            params![scope.owner(), principal.bots(), today],
        )
        .await?;
    let engagement: Option<Row> = db
        .query_optional(
            &format!(
                "SELECT coalesce(sum(m.impressions), 0), coalesce(sum(m.likes), 0),
                    coalesce(sum(m.reposts), 0), coalesce(sum(m.replies), 0),
                    coalesce(sum(m.quotes), 0), coalesce(sum(m.bookmarks), 0)
                 FROM bots b JOIN bot_metrics m ON m.bot_id = b.bot_id WHERE {SEEN}"
            ),
            params![scope.owner(), principal.bots()],
        )
        .await?;
    let everything = scope == Scope::All && principal.bot_ids.is_none();
    Ok(Overview {
        bots: by_name(db, bots, principal).await?,
        posts: by_name(db, posts, principal).await?,
        published_today: published.unwrap_or(0),
        failed_today: failed.unwrap_or(0),
        engagement: match &engagement {
            Some(row) => Counts::from_columns(row, 0)?,
            None => Counts::default(),
        },
        spending: if everything {
            Some(x_spending::sums(db).await?)
        } else {
            None
        },
    })
}
