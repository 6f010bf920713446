//! Extract → domain → wire.

use serde_json::json;
use vivesphere_domain::health;
use vivesphere_http::{Context, Problem, Reply, StatusCode};

pub(crate) async fn alive(_: Context) -> Result<Reply, Problem> {
    Reply::ok(&json!({"status": "ok"}))
}

pub(crate) async fn ready(context: Context) -> Result<Reply, Problem> {
    let readiness = health::readiness(&context.db).await?;
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Reply::json(
        status,
        &json!({
            "status": if readiness.ready { "ready" } else { "not_ready" },
            "database_writable": true,
            "oldest_due_post_seconds": readiness.oldest_due_seconds,
            "seconds_since_last_claim": readiness.seconds_since_claim,
        }),
    )
}

pub(crate) async fn detailed(context: Context) -> Result<Reply, Problem> {
    let readiness = health::readiness(&context.db).await?;
    Reply::ok(&json!({
        "status": if readiness.ready { "ready" } else { "not_ready" },
        "posts": health::count(&context.db, health::Counted::Posts).await?,
        "bots": health::count(&context.db, health::Counted::Bots).await?,
        "oldest_due_post_seconds": readiness.oldest_due_seconds,
        "seconds_since_last_claim": readiness.seconds_since_claim,
        "migration": vivesphere_db::MIGRATIONS.len(),
        "version": env!("CARGO_PKG_VERSION"),
    }))
}
