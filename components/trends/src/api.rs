//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::List;
use vivesphere_http::StatusCode;

use crate::{ROUTES, wire};

const EXISTS: (&str, &str) = (
    "trend_source_exists",
    "There is a source of this already: two would count everything twice.",
);

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "trends",
        "Trends: topics on the rise and their sources. Research for people; nothing is posted because it trends.",
        ROUTES,
    );
    topics(&mut api);
    sources(&mut api);
    api
}

fn topics(api: &mut Api) {
    api.get("/api/v1/trends", "List topics")
        .text(
            "By momentum, or the newest first. Titles and excerpts are plain text that strangers \
             wrote. By momentum a topic may move while one turns the pages.",
        )
        .paged::<wire::TrendQuery>()
        .gives::<List<wire::TrendBody>>();
    api.get("/api/v1/trends/{trend_id}", "See a topic and its items")
        .gives::<wire::TrendDetail>();
    api.get(
        "/api/v1/trends/{trend_id}/history",
        "See how a topic fared over time",
    )
    .query::<wire::HistoryQuery>()
    .gives::<wire::History>()
    .invalid();
}

fn sources(api: &mut Api) {
    let path = "/api/v1/trends/sources";
    let one = "/api/v1/trends/sources/{source_id}";
    api.get(path, "List the sources of trends")
        .paged::<wire::SourceQuery>()
        .gives::<List<wire::SourceBody>>();
    api.post(path, "Add a source of trends")
        .text(
            "X itself is never scraped: its trends come through its API (`x_trends`). A page \
             needs a recorded permission. Addresses of private networks are refused.",
        )
        .json::<wire::NewSource>()
        .creates::<wire::SourceBody>()
        .conflict(EXISTS.0, EXISTS.1)
        .conflict(
            "too_many_trend_sources",
            "There are as many sources as there can be: delete one first.",
        );
    api.get(one, "See a source of trends and how it fares")
        .gives::<wire::SourceBody>();
    api.patch(one, "Change a source of trends")
        .text("A field that is left out stays.")
        .json::<wire::SourcePatch>()
        .if_match()
        .gives::<wire::SourceBody>()
        .conflict(EXISTS.0, EXISTS.1);
    api.delete(one, "Delete a source of trends")
        .text("What it showed stays until its time is over.")
        .if_match()
        .gives_nothing();
    api.post(
        "/api/v1/trends/sources/{source_id}/scrape",
        "Ask for a source to be fetched soon",
    )
    .text(
        "At the scraper's next run. What its server asked for, and the spacing of requests to it, \
         hold all the same.",
    )
    .answers::<wire::ScrapeBody>(StatusCode::ACCEPTED, "It will be fetched.")
    .conflict(
        "trend_source_not_fetched",
        "The source is disabled or was stopped: enable it first.",
    );
}
