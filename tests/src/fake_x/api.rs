//! From a request to an answer: recorded, broken as scripted, and carried out.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::Request;

use super::authorization::{self, Passed};
use super::call::{self, Call, Endpoint};
use super::clock::rfc3339;
use super::faults::Fault;
use super::holding;
use super::posts::{self, Draft};
use super::problems;
use super::record::Recorded;
use super::reply::{self, Reply};
use super::state::{Shared, State};
use super::{oauth, timeline};

const BODY_LIMIT: usize = 1 << 20;

/// Answers a call of X's API.
pub(crate) async fn answer(shared: &Shared, request: Request<Body>) -> Response {
    let Some((endpoint, id)) = call::route(request.method(), request.uri().path()) else {
        return Reply::problem(
            404,
            &serde_json::json!({"title": "Not Found", "detail": "Not Found",
            "type": "about:blank", "status": 404}),
        )
        .into_response();
    };
    shared.lock().under_way += 1;
    let response = answer_call(shared, endpoint, id, request).await;
    shared.lock().under_way -= 1;
    response
}

async fn answer_call(
    shared: &Shared,
    endpoint: Endpoint,
    id: String,
    request: Request<Body>,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return problems::invalid("body", "", "The body could not be read.").into_response();
    };
    let call = Call {
        endpoint,
        id,
        query: call::pairs(head.uri.query().unwrap_or_default()),
        headers: head.headers,
        body: body.to_vec(),
    };
    let (wait, fault) = arrive(shared, &call);
    if wait > 0 {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    match fault {
        Some(Fault::CutBefore) => return reply::cut(),
        Some(Fault::HeldBefore) => holding::wait(shared).await,
        _ => {}
    }
    let instead = fault
        .as_ref()
        .and_then(|fault| fault.instead(shared.clock.now() / 1000));
    if let Some(reply) = instead {
        return finish(reply).into_response();
    }
    let reply = finish(carry_out(shared, &call));
    match fault {
        Some(Fault::CutAfter) => reply::cut(),
        Some(Fault::CutInside) => reply::cut_inside(reply),
        Some(Fault::HeldAfter) => {
            holding::wait(shared).await;
            reply.into_response()
        }
        Some(fault) => fault.spoil(reply).into_response(),
        None => reply.into_response(),
    }
}

fn arrive(shared: &Shared, call: &Call) -> (u64, Option<Fault>) {
    let now = shared.clock.now();
    let mut state = shared.lock();
    let user = call
        .bearer()
        .and_then(|token| state.access_tokens.get(token))
        .and_then(|grant| grant.user_id.clone());
    state.record.count(call.endpoint);
    let most = state.settings.keep_requests;
    if most > 0 {
        let recorded = Recorded::new(call, user.clone(), rfc3339(now));
        state.record.keep(recorded, most);
    }
    let (wait, fault) = state.faults.draw(call.endpoint, user.as_deref());
    (wait + state.settings.delay_ms, fault)
}

fn carry_out(shared: &Shared, call: &Call) -> Reply {
    // Weighing a text takes longer than everything else: it happens outside of the lock.
    let draft = (call.endpoint == Endpoint::CreatePost).then(|| Draft::read(call));
    let now = shared.clock.now();
    let state = &mut *shared.lock();
    match call.endpoint {
        Endpoint::Authorize => oauth::authorize(state, call, now),
        Endpoint::Token => oauth::token(state, call, now),
        Endpoint::Revoke => oauth::revoke(state, call),
        _ => match authorization::pass(state, call, now) {
            Ok(Passed { user_id, headers }) => {
                let mut reply = api_call(state, call, draft, &user_id, now);
                reply.headers.extend(headers);
                reply
            }
            Err(reply) => reply,
        },
    }
}

fn api_call(
    state: &mut State,
    call: &Call,
    draft: Option<Result<Draft, Reply>>,
    user_id: &str,
    now: i64,
) -> Reply {
    match (call.endpoint, draft) {
        (Endpoint::CreatePost, Some(draft)) => posts::create(state, draft, user_id, now),
        (Endpoint::DeletePost, _) => posts::delete(state, &call.id, user_id),
        (Endpoint::LookUpPosts, _) => timeline::lookup(state, call, user_id, now),
        (Endpoint::UsersMe, _) => timeline::me(state, call, user_id),
        (Endpoint::UserPosts, _) => timeline::user_posts(state, call, user_id, now),
        _ => timeline::trends(state, call),
    }
}

/// The headers that X puts on every answer.
fn finish(mut reply: Reply) -> Reply {
    reply.headers.push(("api-version", "2.167".to_owned()));
    reply
        .headers
        .push(("server", "cloudflare envoy".to_owned()));
    reply
        .headers
        .push(("set-cookie", "guest_id=fake; Path=/; Secure".to_owned()));
    reply
}
