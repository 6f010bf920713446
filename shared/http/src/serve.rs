//! The pipeline itself.

use std::time::Instant as Stopwatch;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited, StreamBody};
use vivesphere_config as config;
use vivesphere_db::Database;
use vivesphere_domain::{Instant, Principal};

use crate::access_log::Line;
use crate::authenticate::{self, Credentials};
use crate::context::{bearer_token, client_address};
use crate::hand_over::{self, Answered};
use crate::idempotency::{self, Begun};
use crate::rate_limit::{self, Budget};
use crate::{Access, Answer, Context, Problem, Reply, ReplyStream, Route, Verb};

/// Largest request body: 1 MiB.
const BODY_LIMIT: usize = 1 << 20;
/// Most bytes in all header names and values together, and most headers.
const HEADER_BYTES: usize = 16 << 10;
const HEADERS: usize = 100;

/// What is known of a request while it is answered, for its headers and its log line.
struct Trace {
    request_id: String,
    route: &'static str,
    principal: Option<String>,
    budget: Option<Budget>,
}

/// Answers one request from a component's route table.
pub async fn serve(routes: &'static [Route], request: spin_sdk::http::Request) -> Answer {
    let started = Stopwatch::now();
    let (parts, body) = request.into_parts();
    let mut trace = Trace {
        request_id: request_id(&parts.headers),
        route: "",
        principal: None,
        budget: None,
    };
    let method = parts.method.clone();
    let mut result = answer(routes, parts, body, &mut trace).await;
    let status = match &result {
        Ok(reply) => reply.status,
        Err(problem) => problem.status,
    };
    Line {
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
        duration_ms: started.elapsed().as_secs_f64() * 1000.0,
        principal: trace.principal.as_deref(),
        cause: result
            .as_ref()
            .err()
            .and_then(|problem| problem.cause.as_deref()),
    }
    .write();
    let answered = Answered {
        method: &method,
        route: trace.route,
        request_id: &trace.request_id,
        principal: trace.principal.as_deref(),
        duration_ms: started.elapsed().as_secs_f64() * 1000.0,
    };
    hand_over::hand_over(hand_over::records(&answered, &result));
    let stream = result.as_mut().ok().and_then(|reply| reply.stream.take());
    with_body(finish(result, &trace), stream)
}

/// Puts the stream in the body's place, if there is one: its length is not known.
fn with_body(mut response: Response<Full<Bytes>>, stream: Option<ReplyStream>) -> Answer {
    match stream {
        None => response.map(Either::Left),
        Some(stream) => {
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
    check_headers(&parts.headers)?;
    let (route, parameters) = find(routes, &parts)?;
    trace.route = route.path;
    let now = Instant::now();
    let db = Database::open().await?;
    let principal = identify(&db, route, &parts, now, trace).await?;
    authorize(route, principal.as_ref())?;
    // Asking for a body that is not there costs more than the rest of the pipeline.
    let body = match route.method {
        Verb::Get => Bytes::new(),
        _ => read(body).await?,
    };
    let held = match &principal {
        Some(principal) if route.method == Verb::Post => {
            let request = [
                parts.method.as_str().as_bytes(),
                parts.uri.path().as_bytes(),
                &body,
            ];
            // A key's own, not its owner's: it may see less than was answered to the owner.
            let whose = principal.actor_id();
            match idempotency::begin(&db, &parts.headers, whose, &request, now).await? {
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
        db,
    };
    let result = (route.handler)(context).await;
    if let Some(held) = held {
        held.finish(&db, &result).await?;
    }
    result
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
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_LIMIT) {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "The body is larger than 1 MiB.",
    )
}

/// The route of a path and method, with its parameters: 404 when no route has the path,
/// 405 with `Allow` when none of them has the method.
fn find(
    routes: &'static [Route],
    parts: &Parts,
) -> Result<(&'static Route, Vec<(String, String)>), Problem> {
    let path = parts.uri.path();
    let mut allowed = Vec::new();
    let mut best: Option<(&Route, Vec<(String, String)>)> = None;
    for route in routes {
        let Some(parameters) = matches(route.path, path) else {
            continue;
        };
        // A literal segment wins over a parameter: "/bots/list" is not a bot's id.
        let literal_elsewhere = routes
            .iter()
            .any(|other| other.path == path && route.path != path);
        if literal_elsewhere {
            continue;
        }
        allowed.push(route.method.as_http());
        if route.method.as_http() == parts.method {
            best = Some((route, parameters));
        }
    }
    best.ok_or_else(|| {
        if allowed.is_empty() {
            return Problem::not_found();
        }
        let mut problem = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This path does not have that method.",
        );
        let names: Vec<&str> = allowed.iter().map(http::Method::as_str).collect();
        problem.allow = Some(names.join(", "));
        problem
    })
}

/// Matches a path against a pattern whose parameters are whole segments, `{name}`.
fn matches(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut given = path.split('/');
    for wanted in pattern.split('/') {
        let segment = given.next()?;
        match wanted
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) if !segment.is_empty() => {
                parameters.push((name.to_owned(), segment.to_owned()));
            }
            None if wanted == segment => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(parameters)
}

/// Who is asking, after the rate limit has been spent.
async fn identify(
    db: &Database,
    route: &Route,
    parts: &Parts,
    now: Instant,
    trace: &mut Trace,
) -> Result<Option<Principal>, Problem> {
    let credentials = if route.access == Access::Public {
        Credentials::None
    } else {
        authenticate::credentials(db, bearer_token(&parts.headers), now).await?
    };
    if !matches!(credentials, Credentials::Service) {
        let limit = config::integer("rate_limit_per_minute").await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX / 2);
        let client = credentials.client(client_address(&parts.headers));
        let budget = rate_limit::spend(db, &client, limit, now).await?;
        trace.budget = Some(budget);
        if !budget.allowed {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "Too many requests; wait for the next minute.",
            )
            .retry_after(budget.reset.unsigned_abs()));
        }
    }
    let principal = match credentials {
        Credentials::None => None,
        Credentials::Service => Some(Principal::service()),
        Credentials::Token(claims) => Some(authenticate::principal(db, &claims, now).await?),
        Credentials::AccessKey(principal) => Some(principal),
        Credentials::Refused(problem) => return Err(problem),
    };
    trace.principal = principal
        .as_ref()
        .map(|principal| principal.actor_id().to_owned());
    Ok(principal)
}

fn authorize(route: &Route, principal: Option<&Principal>) -> Result<(), Problem> {
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
    let detail = match route.access {
        Access::Permission(permission) | Access::ServiceOr(permission) => {
            format!("This needs the permission `{}`.", permission.as_str())
        }
        _ => "This is not for you.".to_owned(),
    };
    Err(Problem::forbidden(detail))
}

async fn read<B>(body: B) -> Result<Bytes, Problem>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::malformed("The body broke off.")),
    }
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

const SECURITY_HEADERS: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("cache-control", "no-store"),
];

fn finish(result: Result<Reply, Problem>, trace: &Trace) -> Response<Full<Bytes>> {
    let (status, mut headers, body) = match result {
        Ok(reply) => (reply.status, reply.headers, reply.body),
        Err(problem) => {
            let mut headers = HeaderMap::new();
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/problem+json"),
            );
            let mut set = |name: HeaderName, value: Option<String>| {
                if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                    headers.insert(name, value);
                }
            };
            set(
                header::RETRY_AFTER,
                problem.retry_after.map(|seconds| seconds.to_string()),
            );
            set(header::WWW_AUTHENTICATE, problem.challenge.clone());
            set(header::ALLOW, problem.allow.clone());
            let body = Bytes::from(problem.body(&trace.request_id));
            (problem.status, headers, body)
        }
    };
    for (name, value) in SECURITY_HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&trace.request_id) {
        headers.insert("x-request-id", value);
    }
    if let Some(budget) = trace.budget {
        headers.insert("ratelimit-limit", HeaderValue::from(budget.limit));
        headers.insert("ratelimit-remaining", HeaderValue::from(budget.remaining));
        headers.insert("ratelimit-reset", HeaderValue::from(budget.reset));
    }
    // Without a length the answer is chunked, and on a kept connection without TCP_NODELAY
    // (Spin's) a chunked answer waits some 40 ms for its last bytes.
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_matches_whole_segments_only() {
        assert_eq!(matches("/a/b", "/a/b"), Some(vec![]));
        assert_eq!(
            matches("/a/{id}", "/a/x"),
            Some(vec![("id".into(), "x".into())])
        );
        for (pattern, path) in [
            ("/a/{id}", "/a/"),
            ("/a/{id}", "/a"),
            ("/a/{id}", "/a/x/y"),
            ("/a/{id}/b", "/a/x/c"),
            ("/a", "/a/"),
        ] {
            assert_eq!(matches(pattern, path), None, "{pattern} {path}");
        }
    }
}
