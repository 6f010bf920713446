//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;

use crate::{ROUTES, wire};

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new("metrics", "What the deployment tells of itself.", ROUTES);
    api.get("/api/v1/metrics", "Read everything, as Prometheus does")
        .text("Sums over the whole deployment. `docs/METRICS.md` has every name.")
        .gives_text("text/plain");
    api.get("/api/v1/metrics/overview", "See the numbers on one page")
        .gives::<wire::OverviewBody>();
    api.get("/api/v1/metrics/bots/{bot_id}", "See a bot's series")
        .text("What X counts of the bot's posts, as it changed with each reading; posts are read ever more seldom with their age.")
        .query::<wire::SeriesQuery>()
        .gives::<wire::BotBody>();
    api.get(
        "/api/v1/metrics/posts/{post_id}",
        "See the readings of a post's public counts",
    )
    .gives::<wire::PostBody>();
    api
}
