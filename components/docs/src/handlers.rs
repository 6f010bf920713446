//! Files that are compiled in.

use vivesphere_http::{Context, HeaderValue, Problem, Reply, StatusCode, header};

/// Its own script and style, calls to its own origin, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(content_type: &'static str, text: &'static str) -> Reply {
    // Asked for again each time: it changes with the deployment.
    Reply::new(StatusCode::OK, content_type, text)
        .header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
}

pub(crate) async fn document(_: Context) -> Result<Reply, Problem> {
    let text = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
    Ok(file("application/json", text))
}

pub(crate) async fn page(_: Context) -> Result<Reply, Problem> {
    let page = file(
        "text/html; charset=utf-8",
        include_str!("../page/page.html"),
    );
    let policy = HeaderValue::from_static(POLICY);
    Ok(page.header(header::CONTENT_SECURITY_POLICY, policy))
}

pub(crate) async fn style(_: Context) -> Result<Reply, Problem> {
    Ok(file(
        "text/css; charset=utf-8",
        include_str!("../page/page.css"),
    ))
}

pub(crate) async fn script(_: Context) -> Result<Reply, Problem> {
    let text = concat!(
        include_str!("../page/schema.js"),
        include_str!("../page/page.js")
    );
    Ok(file("text/javascript; charset=utf-8", text))
}
