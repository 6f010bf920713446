//! The JSON of this component.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::metrics::Overview;
use vivesphere_domain::post_metrics::{Counts, Latest, PartReadings, Step};
use vivesphere_domain::x_rate_limits::Left;
use vivesphere_domain::x_spending::Sum;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeriesQuery {
    /// RFC 3339; moved back to a whole step. Seven days before `to` when left out.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub(crate) from: Option<String>,
    /// RFC 3339, exclusive. Now when left out.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub(crate) to: Option<String>,
    /// Seconds of a step: whole hours, 3600 when left out. There are 1000 steps at most.
    #[serde(default)]
    #[schemars(extend("multipleOf" = 3600))]
    pub(crate) step: Option<u32>,
}

/// What X counts of posts.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CountsBody {
    pub(crate) impressions: i64,
    pub(crate) likes: i64,
    pub(crate) reposts: i64,
    pub(crate) replies: i64,
    pub(crate) quotes: i64,
    pub(crate) bookmarks: i64,
    /// Likes, reposts, replies, quotes and bookmarks together.
    pub(crate) engagements: i64,
}

impl From<Counts> for CountsBody {
    fn from(counts: Counts) -> Self {
        Self {
            impressions: counts.impressions,
            likes: counts.likes,
            reposts: counts.reposts,
            replies: counts.replies,
            quotes: counts.quotes,
            bookmarks: counts.bookmarks,
            engagements: counts.engagements(),
        }
    }
}

/// A bot's numbers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct BotBody {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) bot_id: String,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
    /// Seconds of a step.
    pub(crate) step: i64,
    /// Every step, also those in which nothing happened.
    pub(crate) steps: Vec<StepBody>,
    /// Over all of the bot's posts, as X showed them last.
    pub(crate) totals: CountsBody,
    /// The newest 20 that are published, the newest first.
    pub(crate) latest_posts: Vec<LatestBody>,
    /// What X's last answers left of its limits.
    pub(crate) rate_limits: Vec<LimitBody>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct StepBody {
    /// Its beginning.
    pub(crate) at: Instant,
    /// Posts that went out in it.
    pub(crate) published: i64,
    /// Readings of posts in it.
    pub(crate) readings: i64,
    /// By how much the counts changed with those readings; X's counts may go down.
    pub(crate) change: CountsBody,
}

impl From<Step> for StepBody {
    fn from(step: Step) -> Self {
        Self {
            at: step.at,
            published: step.published,
            readings: step.readings,
            change: step.change.into(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct LatestBody {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) post_id: String,
    pub(crate) published_at: Instant,
    /// When its counts were last read; null before the first reading.
    pub(crate) read_at: Option<Instant>,
    #[schemars(extend("enum" = ["unread", "shown", "missing"]))]
    pub(crate) availability: &'static str,
    /// Of a thread all parts together.
    pub(crate) counts: CountsBody,
}

/// Whether X shows a post: `missing` is deleted, hidden or never there.
fn availability(missing: bool, read_at: Option<Instant>) -> &'static str {
    match (missing, read_at) {
        (true, _) => "missing",
        (false, None) => "unread",
        (false, Some(_)) => "shown",
    }
}

impl From<Latest> for LatestBody {
    fn from(post: Latest) -> Self {
        Self {
            availability: availability(post.missing, post.read_at),
            post_id: post.post_id,
            published_at: post.published_at,
            read_at: post.read_at,
            counts: post.counts.into(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct LimitBody {
    #[schemars(extend("enum" = ["create_post", "look_up_posts"]))]
    pub(crate) endpoint: String,
    /// `window` is 15 minutes.
    #[schemars(extend("enum" = ["window", "user_day", "app_day"]))]
    pub(crate) span: String,
    pub(crate) quota: i64,
    pub(crate) remaining: i64,
    /// When the span starts again, or did.
    pub(crate) reset_at: Instant,
}

impl From<Left> for LimitBody {
    fn from(left: Left) -> Self {
        Self {
            endpoint: left.endpoint,
            span: left.span,
            quota: left.quota,
            remaining: left.remaining,
            reset_at: left.reset_at,
        }
    }
}

/// A post's readings.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PostBody {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) post_id: String,
    /// What is on X: of a thread several.
    pub(crate) parts: Vec<PartBody>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PartBody {
    /// Which part, from 0.
    pub(crate) position: i64,
    pub(crate) x_post_id: String,
    #[schemars(extend("enum" = ["unread", "shown", "missing"]))]
    pub(crate) availability: &'static str,
    /// Null when it is not read any more.
    pub(crate) next_reading_at: Option<Instant>,
    /// The oldest first.
    pub(crate) readings: Vec<ReadingBody>,
}

impl From<PartReadings> for PartBody {
    fn from(part: PartReadings) -> Self {
        let readings = part.readings.into_iter().map(|reading| ReadingBody {
            read_at: reading.read_at,
            counts: reading.counts.into(),
        });
        Self {
            position: part.position,
            x_post_id: part.x_post_id,
            availability: availability(part.missing, part.read_at),
            next_reading_at: part.next_reading_at,
            readings: readings.collect(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ReadingBody {
    pub(crate) read_at: Instant,
    pub(crate) counts: CountsBody,
}

/// Numbers about the bots that one may see.
#[derive(Serialize, JsonSchema)]
pub(crate) struct OverviewBody {
    /// By status.
    pub(crate) bots: BTreeMap<String, i64>,
    /// By state.
    pub(crate) posts: BTreeMap<String, i64>,
    /// On the current day (UTC).
    pub(crate) published_today: i64,
    /// Given up on the current day (UTC).
    pub(crate) failed_today: i64,
    /// Over all posts, as X showed them last.
    pub(crate) engagement: CountsBody,
    /// What X is owed by its price list, by purpose. Null for whoever does not see everyone's bots.
    pub(crate) spending: Option<BTreeMap<String, SpendingBody>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SpendingBody {
    /// Millionths of a dollar since the beginning.
    pub(crate) micro_dollars: i64,
    /// Of those, on the current day (UTC).
    pub(crate) micro_dollars_today: i64,
    /// Calls.
    pub(crate) requests: i64,
    /// Posts and accounts that were made or read.
    pub(crate) resources: i64,
}

impl From<Sum> for SpendingBody {
    fn from(sum: Sum) -> Self {
        Self {
            micro_dollars: sum.micro_dollars,
            micro_dollars_today: sum.micro_dollars_today,
            requests: sum.requests,
            resources: sum.resources,
        }
    }
}

impl From<Overview> for OverviewBody {
    fn from(overview: Overview) -> Self {
        let spending = overview.spending.map(|sums| {
            let sums = sums.into_iter();
            sums.map(|(purpose, sum)| (purpose, sum.into())).collect()
        });
        Self {
            bots: overview.bots,
            posts: overview.posts,
            published_today: overview.published_today,
            failed_today: overview.failed_today,
            engagement: overview.engagement.into(),
            spending,
        }
    }
}
