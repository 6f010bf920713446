//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::{List, NoFilter, StatusCode};

use crate::{ROUTES, wire};

const NEEDS_A_PERSON: &str = "approval_needs_a_person";
const NO_PERSON: &str = "An access key asks: only a person approves or rejects.";

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "posts",
        "Posts of bots: schedule, change, approve, cancel, try again.",
        ROUTES,
    );
    api.post("/api/v1/bots/{bot_id}/posts", "Schedule a post or a thread")
        .text(
            "It can be changed and cancelled until the moment of sending. One that requires \
             approval waits for a person with `posts:approve` first.",
        )
        .json::<wire::PostBody>()
        .creates::<wire::PostOut>();
    api.get("/api/v1/bots/{bot_id}/posts", "List a bot's posts")
        .paged::<wire::PostQuery>()
        .gives::<List<wire::PostOut>>();
    api.get(
        "/api/v1/posts/awaiting-approval",
        "List the posts that wait for approval, of every bot you can see",
    )
    .paged::<NoFilter>()
    .gives::<List<wire::PostOut>>();
    api.get("/api/v1/posts/{post_id}", "See a post and its attempts")
        .gives::<wire::PostOut>();
    api.patch(
        "/api/v1/posts/{post_id}",
        "Change a post that has not been sent",
    )
    .text(
        "A change of text or time voids an approval: a post that requires one waits for it again, \
         and its deadline starts anew.",
    )
    .json::<wire::PostBody>()
    .if_match()
    .gives::<wire::PostOut>()
    .conflict("not_editable", "It is being sent, or has been.")
    .conflict("partly_published", "Parts of the thread are on X already.");
    api.post("/api/v1/posts/{post_id}/submit", "Hand in a draft")
        .text("It waits for approval if it requires that, and is scheduled otherwise.")
        .if_match()
        .gives::<wire::PostOut>()
        .conflict("not_submittable", "It is no draft.");
    api.post("/api/v1/posts/{post_id}/approve", "Approve a post")
        .text(
            "It goes out at its time, or at once when that has passed. `If-Match` with the version \
             that was read makes sure that nothing else is approved.",
        )
        .if_match()
        .gives::<wire::PostOut>()
        .problem(StatusCode::FORBIDDEN, NEEDS_A_PERSON, NO_PERSON)
        .conflict("not_awaiting_approval", "It does not wait for approval.")
        .conflict("approval_expired", "Nobody decided in time.");
    api.post("/api/v1/posts/{post_id}/reject", "Send a post back")
        .text("It is a draft again and shows the reason, for its author to change and submit.")
        .json::<wire::RejectBody>()
        .if_match()
        .gives::<wire::PostOut>()
        .problem(StatusCode::FORBIDDEN, NEEDS_A_PERSON, NO_PERSON)
        .conflict("not_awaiting_approval", "It does not wait for approval.");
    api.post("/api/v1/posts/{post_id}/cancel", "Cancel a post")
        .if_match()
        .gives::<wire::PostOut>()
        .conflict("not_cancellable", "It is being sent, or is done with.");
    api.post(
        "/api/v1/posts/{post_id}/retry",
        "Try a failed post again, or look again for one in doubt",
    )
    .text(
        "One in doubt is never sent before it has been looked for. With the `failure_code` \
         `account_changed` it may be on the account that the bot acted as before: then this looks for \
         it on the account of now, and sends it there if it is absent.",
    )
    .if_match()
    .gives::<wire::PostOut>()
    .conflict("not_retryable", "It has neither failed nor is it in doubt.");
    api
}
