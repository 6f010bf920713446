//! The least that an HTTP component can do: what everything else is compared with.
#![cfg(target_arch = "wasm32")]

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::Full;

const GREETING: &[u8] = b"hello";

#[spin_sdk::http_service]
async fn handle(_request: spin_sdk::http::Request) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(GREETING)));
    // Without a length the answer is chunked, which on Spin waits for a delayed acknowledgement.
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(GREETING.len()));
    response
}
