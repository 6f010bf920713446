//! An answer before it is sent, so that a fault can still change it.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// In a response's extensions: close the connection instead of sending it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CutConnection;

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json; charset=utf-8".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    pub(crate) fn problem(status: u16, body: &Value) -> Self {
        let mut reply = Self::json(status, body);
        reply.headers[0].1 = "application/problem+json".to_owned();
        reply
    }

    pub(crate) fn html(status: u16) -> Self {
        let reason = StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error");
        Self {
            status,
            headers: vec![("content-type", "text/html".to_owned())],
            body: format!(
                "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body><center><h1>\
                 {status} {reason}</h1></center><hr><center>cloudflare</center></body></html>"
            )
            .into_bytes(),
        }
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self {
            status: 302,
            headers: vec![("location", location.to_owned())],
            body: Vec::new(),
        }
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// The connection closes without an answer.
pub(crate) fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(CutConnection);
    response
}

/// Head and half of the body arrive, then the connection closes.
pub(crate) fn cut_inside(reply: Reply) -> Response {
    let whole = reply.body.clone();
    let half = whole[..whole.len() / 2].to_vec();
    let mut response = reply.into_response();
    if let Ok(length) = HeaderValue::from_str(&whole.len().to_string()) {
        response.headers_mut().insert("content-length", length);
    }
    // The pause lets the first half go out before the error closes the connection.
    let stream = futures::stream::unfold(0, move |step| {
        let half = half.clone();
        async move {
            match step {
                0 => Some((Ok(half), 1)),
                1 => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    Some((Err(std::io::Error::other("cut")), 2))
                }
                _ => None,
            }
        }
    });
    *response.body_mut() = Body::from_stream(stream);
    response
}
