//! The publisher's side of posts: leases, attempts, outcomes. A row is the only schedule: what a
//! claim does not find due at this moment does not happen.

mod claims;
mod doubts;
mod outcomes;

use vivesphere_db::{Database, params};

use crate::settings::PublishingWindows;
use crate::x_rate_limits::Allowance;
use crate::{Error, Instant};

pub use claims::{claim, closed_zones, recover, standing};
pub use doubts::{claim_doubts, is_adopted, settle};
pub use outcomes::finish;

/// What holds for claims at this moment, from the settings.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long a claimed post is a worker's.
    pub lease_milliseconds: i64,
    /// Posts of one bot in 24 hours, whatever its own limit.
    pub daily_post_limit: i64,
    /// When posts begin to go out, by the bot's own clock.
    pub windows: PublishingWindows,
}

/// A call to be made, under a lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The post.
    pub post_id: String,
    /// Its bot.
    pub bot_id: String,
    /// Outcomes under another token are not written.
    pub fencing_token: i64,
    /// This call's number.
    pub attempt: i64,
    /// Which part of the thread, from 0.
    pub position: i64,
    /// Its text.
    pub text: String,
    /// X's id of the part before.
    pub in_reply_to: Option<String>,
    /// Attempts that counted so far.
    pub spent: u32,
    /// Of the bot's credentials: it is sent with these or later ones.
    pub credentials_version: i64,
    /// When the lease ends.
    pub leased_until: Instant,
}

/// Whether a claimed call may still be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Ready,
    /// Its lease has gone to another.
    Lost,
    /// The bot was paused, stopped or deleted since.
    BotStopped,
}

/// A post whose last call nobody knows the outcome of, under a lease.
#[derive(Debug, Clone)]
pub struct Doubt {
    /// The post.
    pub post_id: String,
    /// Its bot.
    pub bot_id: String,
    /// Outcomes under another token are not written.
    pub fencing_token: i64,
    /// The part in doubt.
    pub position: i64,
    /// Its text.
    pub text: String,
    /// X's id of the part before.
    pub in_reply_to: Option<String>,
    /// Of the bot's credentials: it is looked for with these or later ones.
    pub credentials_version: i64,
    /// When the first call for this part began that X may have got.
    pub since: Instant,
    /// Whose account the last such call was made for; nothing where that is not known, or where a
    /// person has said that it does not matter.
    pub x_user_id: Option<String>,
    /// When the lease ends.
    pub leased_until: Instant,
    /// An id that a worker without a lease has noted.
    pub noted_id: Option<String>,
    /// The last call's code.
    pub last_code: String,
    /// Attempts that counted so far.
    pub spent: u32,
    /// How often the timeline was read without an answer to the question.
    pub reconciliations: u32,
    /// Looks in a row that could not read it.
    pub failures: u32,
}

/// What is written of a call or of looking for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// This part is on X under this id.
    Sent(String),
    /// Given up; a person may have it tried again.
    Failed,
    /// Certainly not on X; to be sent at this moment.
    Again {
        /// When.
        at: Instant,
        /// Whether the attempt counts.
        spent: bool,
    },
    /// Perhaps on X; to be looked for at this moment.
    LookAt(Instant),
    /// As `LookAt`, since the timeline could not be read: it says nothing of the post, however often
    /// it happens.
    CouldNotLook(Instant),
    /// As `LookAt`, since the timeline was read and does not tell: at last a person decides.
    Inconclusive(Instant),
    /// Perhaps on X, and nobody looks for it any more until a person says so.
    GiveUp,
    /// As `Again` without counting, or as `LookAt`, and the bot is paused until a person resumes it.
    PauseBot,
    /// As `Again` without counting, and the whole bot waits.
    BotWaits(Instant),
}

/// A call's result as the attempt row keeps it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `sent`, `refused`, `unknown` or `deferred`.
    pub name: &'static str,
    /// The answer's status.
    pub http_status: Option<u16>,
    /// A stable code.
    pub code: String,
    /// For people.
    pub detail: String,
    /// What follows.
    pub effect: Effect,
    /// What X's answer said of the calls that are left.
    pub allowances: Vec<Allowance>,
    /// Posts that were read to find it out: X bills them.
    pub posts_read: u32,
}

/// The version of a bot's credentials; 0 without any.
///
/// # Errors
/// Storage.
pub async fn credentials_version(db: &Database, bot_id: &str) -> Result<i64, Error> {
    let version: Option<i64> = db
        .query_optional(
            "SELECT version FROM botdata WHERE bot_id = ?",
            params![bot_id],
        )
        .await?;
    Ok(version.unwrap_or(0))
}

/// How many posts are due now, whoever holds them up.
///
/// # Errors
/// Storage.
pub async fn remaining(db: &Database) -> Result<i64, Error> {
    let count: Option<i64> = db
        .query_optional(
            "SELECT count(*) FROM posts WHERE state = 'scheduled' AND next_attempt_at <= ?",
            params![Instant::now().unix_millis()],
        )
        .await?;
    Ok(count.unwrap_or(0))
}
