//! A server's robots.txt: kept for a day at most, else fetched. What the status of the answer means
//! is RFC 9309, section 2.3.1.

use std::time::Duration;

use url::Url;
use vivesphere_domain::Instant;
use vivesphere_domain::trends::{self, KnownRobots, Validators};
use vivesphere_feeds::robots::{FILE_BYTES, Robots};

use crate::outcome::Missed;
use crate::web::{Errand, REDIRECTS, redirected};

/// The name by which a robots.txt speaks to us.
pub(crate) const PRODUCT: &str = "ViveSphere";

/// RFC 9309, section 2.4: not longer than 24 hours.
const KEPT: Duration = Duration::from_secs(86_400);

/// What the server of an address says to us.
pub(crate) async fn of(errand: &Errand<'_>, url: &Url) -> Result<Robots, Missed> {
    let origin = url.origin().ascii_serialization();
    // Of those in this run that need the same file one fetches it, and the others wait for it.
    let gate = errand.web.gate(&origin);
    let mut unreached = gate.lock().await;
    if let Some(rules) = known(errand, &origin).await? {
        return Ok(rules);
    }
    if let Some(http_status) = *unreached {
        return Err(unreachable(http_status));
    }
    let fetched = fetch(errand, url, &origin).await;
    if let Err(Missed::Failed { http_status, .. }) = &fetched {
        *unreached = Some(*http_status);
    }
    let rules = fetched?;
    let keep = KnownRobots {
        rules,
        expires_at: Instant::now().plus(KEPT),
    };
    trends::keep_robots(&errand.web.db, &origin, &keep)
        .await
        .map_err(|_| Missed::failed("storage"))?;
    Ok(keep.rules)
}

async fn known(errand: &Errand<'_>, origin: &str) -> Result<Option<Robots>, Missed> {
    let known = trends::robots(&errand.web.db, origin).await;
    let known = known.map_err(|_| Missed::failed("storage"))?;
    Ok(known.map(|known| known.rules))
}

async fn fetch(errand: &Errand<'_>, url: &Url, origin: &str) -> Result<Robots, Missed> {
    let mut url = url
        .join("/robots.txt")
        .map_err(|_| Missed::refused("address_not_http"))?;
    for hop in 0..=REDIRECTS {
        errand.check(&url).await?;
        errand.wait_for(&url, Duration::ZERO).await?;
        // Another worker may have fetched it while this one waited.
        if hop == 0
            && let Some(rules) = known(errand, origin).await?
        {
            return Ok(rules);
        }
        let asked = errand.ask(&url, &Validators::default(), FILE_BYTES).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(Missed::Failed { .. }) => return Err(unreachable(None)),
            Err(other) => return Err(other),
        };
        match redirected(&url, &answer) {
            Some(Ok(next)) => {
                url = next;
                continue;
            }
            // One that leads nowhere is as if there were none.
            Some(Err(_)) => return Ok(Robots::allow_all()),
            None => {}
        }
        let status = answer.status.as_u16();
        return match status {
            200..=299 if answer.complete || answer.body.len() >= FILE_BYTES => {
                Ok(Robots::parse(&answer.body, PRODUCT))
            }
            // Too many requests is no answer to the question.
            429 | 500..=599 | 200..=299 => Err(unreachable(Some(status))),
            _ => Ok(Robots::allow_all()),
        };
    }
    // More redirects than are followed: unavailable, so everything is allowed (2.3.1.2).
    Ok(Robots::allow_all())
}

/// Whoever cannot be asked may not be fetched (2.3.1.4).
fn unreachable(http_status: Option<u16>) -> Missed {
    Missed::Failed {
        code: "robots_unreachable",
        http_status,
        again: crate::outcome::Again::Backoff,
    }
}
