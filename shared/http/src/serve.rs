//! The pipeline itself.

use std::pin::pin;
use std::rc::Rc;
use std::time::Instant as Stopwatch;

use bytes::{BufMut as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Either, LengthLimitError, Limited, StreamBody};
use vivesphere_db::Database;
use vivesphere_domain::Instant;

use crate::access_log::Line;
use crate::admission::{authorize, identify, spend};
use crate::answer::{Trace, finish};
use crate::hand_over::{self, Answered};
use crate::idempotency::{self, Begun};
use crate::kept_answers::Kept;
use crate::policy::Policy;
use crate::routing::{find, methods};
use crate::{Answer, Context, Problem, Reply, Route, Verb};
use crate::{access_log, cors, request_counts};

/// Most bytes in all header names and values together, and most headers.
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 100;
/// What a request says once: of two, it would be anybody's guess which one is meant.
const ONCE: [&str; 3] = ["authorization", "idempotency-key", "if-match"];
/// Bytes that a body has room for before it has come: what it says of its length may be a lie.
const ROOM: usize = 16 << 10;
/// Tells the scheduler that a run had nothing to do.
const X_JOB_IDLE: HeaderName = HeaderName::from_static("x-job-idle");

/// Answers one request from a component's route table.
pub async fn serve(routes: &'static [Route], request: spin_sdk::http::Request) -> Answer {
    let started = Stopwatch::now();
    let (mut parts, body) = request.into_parts();
    let mut trace = Trace {
        request_id: request_id(&parts.headers),
        ..Trace::default()
    };
    let method = parts.method.clone();
    if method == http::Method::HEAD {
        // As GET, but without the body (RFC 9110, section 9.3.2).
        parts.method = http::Method::GET;
        trace.head_alone = true;
    }
    let mut result = answer(routes, parts, body, &mut trace).await;
    let status = match &result {
        Ok(reply) => reply.status,
        Err(problem) => problem.status,
    };
    let answered = Answered {
        method: &method,
        route: trace.route,
        request_id: &trace.request_id,
        principal: trace.principal.as_deref(),
        duration_ms: started.elapsed().as_secs_f64() * 1000.0,
    };
    let records = hand_over::records(&answered, &result);
    // Schedules run every few seconds: a run that had nothing to do would drown every other line.
    let idle = result.is_ok() && records.is_empty() && hand_over::is_run(trace.route);
    let line = Line {
        timestamp: Instant::now().to_string(),
        level: if status.is_server_error() {
            "error"
        } else {
            "info"
        },
        message: "request",
        request_id: &trace.request_id,
        method: method.as_str(),
        route: trace.route,
        status: status.as_u16(),
        duration_ms: answered.duration_ms,
        principal: trace.principal.as_deref(),
        cause: result
            .as_ref()
            .err()
            .and_then(|problem| problem.cause.as_deref()),
    };
    if !idle {
        line.write();
    }
    hand_over::hand_over(records);
    request_counts::count(&method, trace.route, status.as_u16(), started.elapsed());
    if idle && let Ok(reply) = &mut result {
        reply
            .headers
            .insert(X_JOB_IDLE, HeaderValue::from_static("true"));
    }
    let stream = result.as_mut().ok().and_then(|reply| reply.stream.take());
    if stream.is_some() {
        // What is made while it is sent has no tag, no length, and is not held back to be
        // compressed; nor is anything else said of it when its body is not asked for.
        trace.compression = false;
        trace.tagged = false;
    }
    match stream.filter(|_| !trace.head_alone) {
        None => finish(result, &trace).map(Either::Left),
        Some(stream) => {
            let mut response = finish(result, &trace);
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response.map(|_| Either::Right(StreamBody::new(stream)))
        }
    }
}

async fn answer<B>(
    routes: &'static [Route],
    parts: Parts,
    body: B,
    trace: &mut Trace,
) -> Result<Reply, Problem>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    trace.request_headers = tagged_and_encoded_by(&parts.headers);
    let now = Instant::now();
    let found = find(routes, &parts);
    let route = found.as_ref().ok().map(|(route, _)| *route);
    trace.route = route.map_or("", |route| route.path);
    let opened = open(&parts, trace).await;
    if let Some(reply) = route.and_then(|route| route.whatever_happens) {
        if let Err(problem) = opened {
            let cause = problem.cause.unwrap_or(problem.detail);
            access_log::failed("answered without the database", &cause);
        }
        trace.tagged = parts.method == http::Method::GET;
        check_headers(&parts.headers)?;
        return reply();
    }
    let (db, policy) = opened?;
    if cors::is_preflight(&parts.method, &parts.headers) {
        return match methods(routes, parts.uri.path()).as_slice() {
            [] => Err(Problem::not_found()),
            methods => Ok(policy.cors.preflight(&parts.headers, methods)),
        };
    }
    let confidential = route.is_some_and(|route| route.confidential);
    trace.compression = policy.compression && !confidential;
    trace.tagged = parts.method == http::Method::GET && !confidential;
    let credentials = spend(&db, &policy, route, &parts, now, trace).await?;
    check_headers(&parts.headers)?;
    let (route, parameters) = found?;
    let principal = identify(credentials, trace)?;
    authorize(route, principal.as_ref())?;
    let limit = route.body_limit.min(policy.body_limit);
    let length = declared_length(&parts.headers);
    if length.is_some_and(|length| length > limit) {
        // It is not waited for.
        return Err(too_large(limit));
    }
    let mut keep = None;
    if let (Some(keeper), Some(principal)) = (route.keeper, &principal)
        && !principal.is_service()
    {
        match keeper(principal, &parts.uri) {
            Kept::Again(reply) => return Ok(reply),
            Kept::NotYet(first) => keep = Some(first),
        }
    }
    // Asking for a body that is not there costs more than the rest of the pipeline.
    let body = match route.method {
        Verb::Get => Bytes::new(),
        _ => read(body, length, limit).await?,
    };
    let held = match &principal {
        Some(principal) if route.method == Verb::Post => {
            let path = parts.uri.path_and_query();
            let request = [
                parts.method.as_str().as_bytes(),
                path.map_or("", http::uri::PathAndQuery::as_str).as_bytes(),
                &body,
            ];
            // A key's own, not its owner's: it may see less than was answered to the owner.
            let whose = principal.actor_id();
            let request = (trace.request_id.as_str(), route.digest, &request[..]);
            match idempotency::begin(&db, &parts.headers, whose, request).await? {
                Begun::Again(reply) => return Ok(reply),
                Begun::First(held) => Some(held),
                Begun::Without => None,
            }
        }
        _ => None,
    };
    let context = Context {
        parts,
        body,
        parameters,
        principal,
        request_id: trace.request_id.clone(),
        policy,
        db,
    };
    let mut result = (route.handler)(context).await;
    if let (Some(keep), Ok(reply)) = (keep, &mut result) {
        keep(reply);
    }
    // What was done is done, whether its answer can be kept or not: the next try finds out from the
    // audit trail. What was answered may be a secret that is shown once.
    if let Some(held) = held
        && let Err(error) = held.finish(&db, &result, confidential).await
    {
        access_log::failed("an idempotent answer is not kept", &error.to_string());
    }
    result
}

/// Opens the database and reads the gateway's settings.
async fn open(parts: &Parts, trace: &mut Trace) -> Result<(Database, Rc<Policy>), Problem> {
    let db = Database::open().await?;
    let policy = Policy::read(&db).await?;
    trace.cors = policy.cors.headers(&parts.headers);
    trace.varies_by_origin = policy.cors.varies();
    Ok((db, policy))
}

fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if headers.len() > HEADERS || bytes > HEADER_BYTES {
        return Err(Problem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "headers_too_large",
            "The request's headers are too many or too long.",
        ));
    }
    for name in ONCE {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(Problem::malformed(format!("`{name}` is sent twice.")));
        }
    }
    Ok(())
}

/// The bytes that the body has, if it says so: HTTP holds it to that (RFC 9112, section 6.2). Beside
/// `transfer-encoding` it means nothing (section 6.3), and hyper, which serves on Spin and on the
/// embedded host, takes it away.
fn declared_length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    length.parse().ok()
}

fn too_large(limit: usize) -> Problem {
    let limit = match limit {
        1_048_576 => "1 MiB".to_owned(),
        limit if limit % 1024 == 0 => format!("{} KiB", limit / 1024),
        limit => format!("{limit} bytes"),
    };
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("The body is larger than {limit}."),
    )
}

/// What the answer's tag and encoding depend on.
fn tagged_and_encoded_by(headers: &HeaderMap) -> HeaderMap {
    [header::ACCEPT_ENCODING, header::IF_NONE_MATCH]
        .into_iter()
        .flat_map(|name| {
            let values = headers.get_all(&name).into_iter().cloned();
            values
                .map(|value| (name.clone(), value))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Reads a body: as many bytes as it says that it has, or to its end. Where its length is known, to
/// wait for the end, too, would cost as much as the reading.
async fn read<B>(body: B, length: Option<usize>, limit: usize) -> Result<Bytes, Problem>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = pin!(Limited::new(body, limit));
    let mut bytes = Vec::with_capacity(length.map_or(0, |length| length.min(ROOM)));
    while length.is_none_or(|length| bytes.len() < length) {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    bytes.put(data);
                }
            }
            Some(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(limit)),
            Some(Err(_)) => return Err(Problem::malformed("The body broke off.")),
            None => break,
        }
    }
    Ok(bytes.into())
}

/// A client's own request id is kept when it is short and plain; else it gets a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (8..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}
