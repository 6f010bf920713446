//! Extract → domain → wire.

use serde_json::{Value, json};
use vivesphere_domain::health::{self, Counted, Readiness};
use vivesphere_http::{Context, HeaderValue, Problem, Reply, StatusCode, header};

/// The body that both views of readiness share.
fn body(readiness: &Readiness) -> Value {
    let reasons: Vec<&str> = readiness.reasons.iter().map(|r| r.as_str()).collect();
    json!({
        "status": if reasons.is_empty() { "ready" } else { "not_ready" },
        "reasons": reasons,
        // It was written to a moment ago; had that failed, there would be no body like this.
        "database_writable": true,
        "oldest_due_post_seconds": readiness.oldest_due_seconds,
        "seconds_since_last_claim": readiness.seconds_since_claim,
    })
}

pub(crate) async fn alive(_: Context) -> Result<Reply, Problem> {
    Reply::ok(&json!({"status": "ok"}))
}

pub(crate) async fn ready(context: Context) -> Result<Reply, Problem> {
    let readiness = health::readiness(&context.db).await?;
    if readiness.reasons.is_empty() {
        return Reply::ok(&body(&readiness));
    }
    // One tick of the scheduler can make it ready.
    let reply = Reply::json(StatusCode::SERVICE_UNAVAILABLE, &body(&readiness))?;
    Ok(reply.header(header::RETRY_AFTER, HeaderValue::from_static("5")))
}

pub(crate) async fn detailed(context: Context) -> Result<Reply, Problem> {
    let db = &context.db;
    let mut body = body(&health::readiness(db).await?);
    body["posts"] = json!(health::count(db, Counted::Posts).await?);
    body["bots"] = json!(health::count(db, Counted::Bots).await?);
    // A database that is open has every migration of this build and no other.
    body["migration"] = json!(vivesphere_db::MIGRATIONS.len());
    body["version"] = json!(env!("CARGO_PKG_VERSION"));
    body["sqlite_version"] = json!(health::sqlite_version(db).await?);
    Reply::ok(&body)
}
