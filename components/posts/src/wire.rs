//! The JSON of this component.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::posts::{ApprovalRules, Post};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostQuery {
    /// Only posts in this state.
    #[serde(default)]
    #[schemars(extend("enum" = ["draft", "awaiting_approval", "scheduled", "publishing", "published", "failed", "outcome_unknown", "cancelled", null]))]
    pub(crate) state: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostBody {
    /// Exactly one of `text` and `thread`.
    #[serde(default)]
    pub(crate) text: Option<String>,
    /// Parts, each a reply to the one before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 25))]
    pub(crate) thread: Option<Vec<String>>,
    /// At most one of `scheduled_at` and `local_time`; now when both are left out.
    #[serde(default)]
    #[schemars(extend("format" = "date-time"))]
    pub(crate) scheduled_at: Option<String>,
    /// In the bot's time zone, such as `2026-12-01T09:00`.
    #[serde(default)]
    pub(crate) local_time: Option<String>,
    /// Whether a person must approve it before it goes out. Left out, a new post is as the setting
    /// `approval_required` says. What is required is not taken back.
    #[serde(default)]
    pub(crate) requires_approval: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RejectBody {
    /// For the author: what is to be changed.
    #[schemars(length(min = 1, max = 500))]
    pub(crate) reason: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PostOut {
    #[schemars(extend("format" = "uuid"))]
    post_id: String,
    bot_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<Vec<String>>,
    #[schemars(extend("enum" = ["draft", "awaiting_approval", "scheduled", "publishing", "published", "failed", "outcome_unknown", "cancelled"]))]
    state: String,
    scheduled_at: Instant,
    published_at: Option<Instant>,
    next_attempt_at: Option<Instant>,
    x_post_id: Option<String>,
    x_post_ids: Vec<String>,
    /// Why it failed, or is a draft again.
    failure_code: Option<String>,
    failure_detail: Option<String>,
    requires_approval: bool,
    /// Until when it can be approved; null unless it waits for that.
    approval_due_at: Option<Instant>,
    /// The user who approved it as it is.
    approved_by: Option<String>,
    approved_at: Option<Instant>,
    version: i64,
    attempts: Vec<AttemptOut>,
    created_at: Instant,
    updated_at: Instant,
}

#[derive(Serialize, JsonSchema)]
struct AttemptOut {
    number: i64,
    part: i64,
    started_at: Instant,
    ended_at: Option<Instant>,
    /// Null while the call is under way.
    #[schemars(extend("enum" = ["sent", "refused", "unknown", "deferred", null]))]
    outcome: Option<String>,
    http_status: Option<i64>,
    code: Option<String>,
    detail: Option<String>,
}

impl PostOut {
    /// The post as it is sent; what its deadline is depends on the settings that hold now.
    pub(crate) fn of(post: Post, approvals: ApprovalRules) -> Self {
        let approval_due_at = post.approval_due_at(approvals);
        let x_post_ids: Vec<String> = post.parts.iter().filter_map(|(_, id)| id.clone()).collect();
        let mut texts: Vec<String> = post.parts.into_iter().map(|(text, _)| text).collect();
        let (text, thread) = if texts.len() == 1 {
            (texts.pop(), None)
        } else {
            (None, Some(texts))
        };
        Self {
            post_id: post.post_id,
            bot_id: post.bot_id,
            text,
            thread,
            state: post.state,
            scheduled_at: post.scheduled_at,
            published_at: post.published_at,
            next_attempt_at: post.next_attempt_at,
            x_post_id: x_post_ids.first().cloned(),
            x_post_ids,
            failure_code: post.failure_code,
            failure_detail: post.failure_detail,
            requires_approval: post.requires_approval,
            approval_due_at,
            approved_by: post.approved_by,
            approved_at: post.approved_at,
            version: post.version,
            attempts: post
                .attempts
                .into_iter()
                .map(|attempt| AttemptOut {
                    number: attempt.number,
                    part: attempt.part,
                    started_at: attempt.started_at,
                    ended_at: attempt.ended_at,
                    outcome: attempt.outcome,
                    http_status: attempt.http_status,
                    code: attempt.code,
                    detail: attempt.detail,
                })
                .collect(),
            created_at: post.created_at,
            updated_at: post.updated_at,
        }
    }
}
