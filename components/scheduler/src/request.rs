//! One POST through WASI 0.2.

use wasi::http::outgoing_handler;
use wasi::http::types::{Fields, Method, OutgoingRequest, RequestOptions, Scheme};

/// Most bytes of an answer that are logged.
const ANSWER: u64 = 2048;
const SECOND: u64 = 1_000_000_000;

/// What a job entry answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Its beginning.
    pub(crate) body: String,
    /// The run had nothing to do.
    pub(crate) idle: bool,
}

/// Posts nothing to `base` + `path` with the key as the bearer.
pub(crate) fn post(base: &str, path: &str, key: &str) -> Result<Answer, String> {
    let (scheme, authority) = base
        .trim_end_matches('/')
        .split_once("://")
        .ok_or("jobs_base_url is not a URL")?;
    let scheme = match scheme {
        "https" => Scheme::Https,
        _ => Scheme::Http,
    };
    let headers = Fields::new();
    headers
        .append("authorization", format!("Bearer {key}").as_bytes())
        .and_then(|()| headers.append("content-length", b"0"))
        .map_err(|_| "the service key cannot stand in a header")?;
    let request = OutgoingRequest::new(headers);
    let refused = |()| "jobs_base_url is not a URL that can be called".to_owned();
    request.set_method(&Method::Post).map_err(refused)?;
    request.set_scheme(Some(&scheme)).map_err(refused)?;
    request.set_authority(Some(authority)).map_err(refused)?;
    request.set_path_with_query(Some(path)).map_err(refused)?;
    let options = RequestOptions::new();
    // Not every host knows these; its own limits then hold.
    let _ = options.set_connect_timeout(Some(10 * SECOND));
    let _ = options.set_first_byte_timeout(Some(60 * SECOND));
    let response = outgoing_handler::handle(request, Some(options))
        .map_err(|error| format!("the job entry was not called: {error:?}"))?;
    response.subscribe().block();
    let response = response
        .get()
        .and_then(Result::ok)
        .ok_or("the job entry gave no answer")?
        .map_err(|error| format!("the job entry was not reached: {error:?}"))?;
    let status = response.status();
    let idle = !response.headers().get("x-job-idle").is_empty();
    let mut answer = Vec::new();
    if let Ok(body) = response.consume()
        && let Ok(stream) = body.stream()
    {
        while (answer.len() as u64) < ANSWER {
            match stream.blocking_read(ANSWER) {
                Ok(bytes) => answer.extend(bytes),
                Err(_) => break,
            }
        }
    }
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&answer).into_owned(),
        idle,
    })
}
