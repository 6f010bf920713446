//! X's trends, through its API, with the application's own token. Every request costs money
//! (`docs/TRENDS.md`), so none is repeated here.

use std::time::Duration;

use vivesphere_config as config;
use vivesphere_domain::Instant;
use vivesphere_domain::trends::Validators;
use vivesphere_domain::x_spending::{self, Purpose, Spent, price};
use vivesphere_feeds::Document;
use vivesphere_x_api::{CallError, Client};

use crate::outcome::{Again, Got, Missed};
use crate::web::Errand;

/// The name under which requests for trends are spaced, by all workers together.
const ORIGIN: &str = "x-api:trends";
/// X allows 75 requests in 15 minutes (<https://docs.x.com/x-api/fundamentals/rate-limits>).
const SPACING: Duration = Duration::from_secs(12);
const HOUR: Duration = Duration::from_secs(3_600);

/// Reads the trends of a place.
pub(crate) async fn read(errand: &Errand<'_>, woeid: i64) -> Result<Got, Missed> {
    let token = config::optional_secret_text("x_app_bearer_token").await;
    let misconfigured = |_| Missed::refused("misconfigured");
    let Some(token) = token.map_err(misconfigured)? else {
        return Err(Missed::Failed {
            code: "x_bearer_missing",
            http_status: None,
            again: Again::In(HOUR),
        });
    };
    let base = config::origin("x_api_base_url")
        .await
        .map_err(misconfigured)?;
    let seconds = config::integer("x_request_timeout_seconds")
        .await
        .map_err(misconfigured)?;
    errand.wait(ORIGIN, SPACING).await?;
    errand.requests.set(errand.requests.get() + 1);
    let client = Client::new(base, Duration::from_secs(seconds));
    let answer = client.trends(token.expose(), woeid).await;
    // What X refused is not billed; what was lost on the way back may be.
    if matches!(answer, Ok(_) | Err(CallError::Unknown(_))) {
        let spent = Spent {
            purpose: Purpose::Trends,
            requests: 1,
            resources: 1,
            micro_dollars: price::TRENDS,
        };
        let counted = x_spending::add(&errand.web.db, spent).await;
        counted.map_err(|_| Missed::failed("storage"))?;
    }
    let answer = answer.map_err(|error| missed(&error))?;
    let trends = answer
        .trends
        .into_iter()
        .map(|trend| (trend.name, trend.posts))
        .collect::<Vec<_>>();
    let items = errand.web.parser.x_trends(&trends).await?;
    Ok(Got::Document {
        document: Document {
            ranking: true,
            items,
            ..Document::default()
        },
        validators: Validators::default(),
        http_status: Some(200),
        fresh_for: None,
    })
}

fn missed(error: &CallError) -> Missed {
    let again = match error {
        CallError::RateLimited(limited) => {
            let reset = limited.until.map(|until| {
                let seconds = until.saturating_sub(Instant::now().unix_seconds());
                Duration::from_secs(seconds.max(0).unsigned_abs())
            });
            Again::AskedFor(reset.unwrap_or(HOUR / 4))
        }
        // A person has to do something first; asking costs money.
        CallError::Unauthorized(_) | CallError::AppBlocked(_) | CallError::AccountBlocked(_) => {
            Again::In(6 * HOUR)
        }
        CallError::Refused(_) => Again::In(6 * HOUR),
        CallError::Unknown(_) | CallError::NotSent(_) => Again::Backoff,
    };
    Missed::Failed {
        code: error.code(),
        http_status: error.http_status(),
        again,
    }
}
