//! Whether a request is admitted: whose it is, whether its client has paid, and what it may do.

use http::{StatusCode, request::Parts};
use vivesphere_db::Database;
use vivesphere_domain::{Instant, Principal};

use crate::answer::Trace;
use crate::authenticate::{self, Credentials, Presented};
use crate::client_address::client_network;
use crate::context::bearer_token;
use crate::policy::Policy;
use crate::rate_limit::{self, Budget};
use crate::{Access, Problem, Route, RouteClass};

/// Reads the credentials and spends a token of the client's budget for the route's class. What
/// has no route is paid for, too. Who the client is, is asked first: whoever has found a token that
/// was revoked spends nothing of its user's.
pub(crate) async fn spend(
    db: &Database,
    policy: &Policy,
    route: Option<&Route>,
    parts: &Parts,
    now: Instant,
    trace: &mut Trace,
) -> Result<Credentials, Problem> {
    let public = route.is_some_and(|route| route.access == Access::Public);
    let presented = if public {
        Presented::Credentials(Credentials::None)
    } else {
        authenticate::presented(db, bearer_token(&parts.headers), now).await?
    };
    if let Presented::Credentials(Credentials::Service) = presented {
        return Ok(Credentials::Service);
    }
    let class = route.map_or(
        match parts.method {
            http::Method::GET => RouteClass::Read,
            _ => RouteClass::Write,
        },
        |route| route.class,
    );
    let limit = policy.per_minute(class);
    // Known from memory: it spares the question who that is.
    if let (Presented::Token(claims), Some(limit)) = (&presented, limit) {
        let purse = rate_limit::purse(class, &authenticate::user(&claims.subject));
        if let Some(budget) = rate_limit::spent(&purse, limit, now) {
            trace.budget = Some(budget);
            return Err(rate_limited(budget));
        }
    }
    let credentials = match presented {
        Presented::Credentials(credentials) => credentials,
        Presented::Token(claims) => authenticate::principal(db, &claims, now).await?,
    };
    if let Some(limit) = limit {
        let address = || client_network(&parts.headers, &policy.trusted_proxies);
        let client = credentials.client(address);
        let purse = rate_limit::purse(class, &client);
        let budget = rate_limit::spend(db, &purse, limit, now).await?;
        trace.budget = Some(budget);
        if !budget.allowed {
            return Err(rate_limited(budget));
        }
    }
    Ok(credentials)
}

fn rate_limited(budget: Budget) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        "Too many requests; wait for the next minute.",
    )
    .retry_after(budget.reset.unsigned_abs())
}

/// Who is asking, if anybody says so.
pub(crate) fn identify(
    credentials: Credentials,
    trace: &mut Trace,
) -> Result<Option<Principal>, Problem> {
    let principal = match credentials {
        Credentials::None => None,
        Credentials::Service => Some(Principal::service()),
        Credentials::Known(principal) => Some(principal),
        Credentials::Refused(problem) => return Err(problem),
    };
    trace.principal = principal
        .as_ref()
        .map(|principal| principal.actor_id().to_owned());
    Ok(principal)
}

pub(crate) fn authorize(route: &Route, principal: Option<&Principal>) -> Result<(), Problem> {
    if route.access == Access::Public {
        return Ok(());
    }
    let Some(principal) = principal else {
        return Err(Problem::unauthorized(
            "missing_credentials",
            "Send `Authorization: Bearer <token>`.",
        ));
    };
    let allowed = match route.access {
        Access::Public => true,
        Access::SignedIn => !principal.is_service(),
        Access::Permission(permission) => !principal.is_service() && principal.may(permission),
        Access::Service => principal.is_service(),
        Access::ServiceOr(permission) => principal.is_service() || principal.may(permission),
    };
    if allowed {
        return Ok(());
    }
    Err(match route.access {
        Access::Permission(permission) | Access::ServiceOr(permission) => {
            Problem::insufficient_scope(permission.as_str())
        }
        _ => Problem::forbidden("This is not for you."),
    })
}
