//! One run.

use vivesphere_domain::logs::{self, LogType};
use vivesphere_http::{Context, Problem, Reply, RunQuery};

use crate::wire;

fn by_type<T: Copy>(counts: [T; 4]) -> wire::ByType<T> {
    let names = LogType::ALL.iter().map(|log_type| log_type.as_str());
    names.zip(counts).collect()
}

pub(crate) async fn run(context: Context) -> Result<Reply, Problem> {
    let time = context.query::<RunQuery>()?.begin();
    let done = logs::drain(&context.db, time.end()).await?;
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
        duration_ms: time.spent_ms(),
    })
}
