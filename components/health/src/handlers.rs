//! Extract → domain → wire.

use vivesphere_db::Database;
use vivesphere_domain::health::{self, Counted, Readiness};
use vivesphere_domain::settings::table::publisher::PUBLISHING_WINDOWS;
use vivesphere_http::{Context, HeaderValue, Problem, Reply, StatusCode, header};

use crate::wire;

/// The body that both views of readiness share.
fn body(readiness: Readiness) -> wire::Readiness {
    let reasons: Vec<&str> = readiness.reasons.iter().map(|r| r.as_str()).collect();
    wire::Readiness {
        status: if reasons.is_empty() {
            "ready"
        } else {
            "not_ready"
        },
        reasons,
        // It was written to a moment ago; had that failed, there would be no body like this.
        database_writable: true,
        oldest_due_post_seconds: readiness.oldest_due_seconds,
        seconds_since_last_claim: readiness.seconds_since_claim,
    }
}

pub(crate) async fn alive(_: Context) -> Result<Reply, Problem> {
    is_alive()
}

/// Starting it anew mends no database, so it is alive without one.
pub(crate) fn is_alive() -> Result<Reply, Problem> {
    Reply::ok(&wire::Alive { status: "ok" })
}

async fn readiness(db: &Database) -> Result<Readiness, Problem> {
    let settings = vivesphere_settings::current(db).await?;
    let windows = settings.publishing_windows(&PUBLISHING_WINDOWS).await?;
    Ok(health::readiness(db, &windows).await?)
}

pub(crate) async fn ready(context: Context) -> Result<Reply, Problem> {
    let body = body(readiness(&context.db).await?);
    if body.reasons.is_empty() {
        return Reply::ok(&body);
    }
    // One tick of the scheduler can make it ready.
    let reply = Reply::json(StatusCode::SERVICE_UNAVAILABLE, &body)?;
    Ok(reply.header(header::RETRY_AFTER, HeaderValue::from_static("5")))
}

pub(crate) async fn detailed(context: Context) -> Result<Reply, Problem> {
    context.principal()?.must_see_all_bots()?;
    let db = &context.db;
    Reply::ok(&wire::Detailed {
        readiness: body(readiness(db).await?),
        posts: health::count(db, Counted::Posts).await?,
        bots: health::count(db, Counted::Bots).await?,
        // A database that is open has every migration of this build and no other.
        migration: vivesphere_db::MIGRATIONS.len(),
        version: env!("CARGO_PKG_VERSION"),
        sqlite_version: health::sqlite_version(db).await?,
    })
}
