//! Who calls, and whether the limits let them.

use super::call::{Call, Endpoint};
use super::problems;
use super::reply::Reply;
use super::state::State;

/// A caller who passed: the account (empty for an application-only token) and the headers to add.
pub(crate) struct Passed {
    pub(crate) user_id: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

const WRITE: &[&str] = &["tweet.read", "tweet.write", "users.read"];
const READ: &[&str] = &["tweet.read", "users.read"];

/// 401, then 403, then 429, in X's order. `now` in unix milliseconds.
pub(crate) fn pass(state: &mut State, call: &Call, now: i64) -> Result<Passed, Reply> {
    let token = call.bearer().unwrap_or_default();
    let Some(grant) = state.valid(token, now).cloned() else {
        return Err(problems::unauthorized());
    };
    let needed = match call.endpoint {
        Endpoint::CreatePost | Endpoint::DeletePost => WRITE,
        Endpoint::Trends => &[],
        _ => READ,
    };
    let mut user_id = String::new();
    match grant.user_id {
        None if call.endpoint != Endpoint::Trends => return Err(problems::app_only()),
        None => {}
        Some(id) => {
            let held = |scope: &&str| grant.scopes.iter().any(|held| held == scope);
            if !needed.iter().all(held) {
                return Err(problems::forbidden("Forbidden"));
            }
            user_id = id;
        }
    }
    let limit = state
        .settings
        .limits
        .get(&call.endpoint)
        .copied()
        .unwrap_or_default();
    let taken = state
        .windows
        .take(call.endpoint, limit, &user_id, now / 1000);
    if !taken.allowed {
        let mut reply = problems::too_many_requests(false);
        reply.headers.extend(taken.headers);
        return Err(reply);
    }
    Ok(Passed {
        user_id,
        headers: taken.headers,
    })
}
