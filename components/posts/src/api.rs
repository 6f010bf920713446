//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::List;

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "posts",
        "Posts of bots: schedule, change, cancel, try again.",
        ROUTES,
    );
    api.post("/api/v1/bots/{bot_id}/posts", "Schedule a post or a thread")
        .text("It can be changed and cancelled until the moment of sending.")
        .json::<wire::PostBody>()
        .creates::<wire::PostOut>();
    api.get("/api/v1/bots/{bot_id}/posts", "List a bot's posts")
        .query::<wire::PostQuery>()
        .gives::<List<wire::PostOut>>();
    api.get("/api/v1/posts/{post_id}", "See a post and its attempts")
        .gives::<wire::PostOut>();
    api.patch(
        "/api/v1/posts/{post_id}",
        "Change a post that has not been sent",
    )
    .json::<wire::PostBody>()
    .if_match()
    .gives::<wire::PostOut>()
    .conflict("not_editable", "It is being sent, or has been.")
    .conflict("partly_published", "Parts of the thread are on X already.");
    api.post("/api/v1/posts/{post_id}/cancel", "Cancel a post")
        .if_match()
        .gives::<wire::PostOut>()
        .conflict("not_cancellable", "It is being sent, or is done with.");
    api.post("/api/v1/posts/{post_id}/retry", "Try a failed post again")
        .if_match()
        .gives::<wire::PostOut>()
        .conflict("not_retryable", "It has not failed.");
    api
}
