//! One run.

use std::time::Duration;

use vivesphere_domain::Instant;
use vivesphere_domain::logs::{self, LogType};
use vivesphere_http::{Context, Problem, Reply};

use crate::wire;

const DEFAULT_BUDGET_SECONDS: u32 = 4;
const MAX_BUDGET_SECONDS: u32 = 55;

fn by_type<T: Copy>(counts: [T; 4]) -> wire::ByType<T> {
    let names = LogType::ALL.iter().map(|log_type| log_type.as_str());
    names.zip(counts).collect()
}

pub(crate) async fn run(context: Context) -> Result<Reply, Problem> {
    let query: wire::RunQuery = context.query()?;
    let budget = query
        .budget_seconds
        .unwrap_or(DEFAULT_BUDGET_SECONDS)
        .min(MAX_BUDGET_SECONDS);
    let started = Instant::now();
    let end = started.plus(Duration::from_secs(budget.into()));
    let done = logs::drain(&context.db, end).await?;
    let stats = logs::stats(&context.db).await?;
    Reply::ok(&wire::RunBody {
        busy: done.busy,
        drained: by_type(done.drained),
        sealed: done.sealed,
        audit_head: done.head.map(|head| wire::HeadBody {
            audit_id: head.place.audit_id,
            hash: head.place.hash.hex(),
        }),
        deleted: by_type(done.deleted),
        dropped: by_type(stats.dropped),
        remaining: stats.queued.iter().sum(),
        duration_ms: Instant::now().millis_since(started),
    })
}
