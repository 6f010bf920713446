//! All that fits a filter, a line each, read while it is sent.

use bytes::Bytes;
use futures::stream::{self, Stream};
use vivesphere_db::Database;
use vivesphere_domain::logs::{self, Filter};
use vivesphere_http::{Context, Problem, Reply};

use crate::{handlers, wire};

/// Records read at a time.
const BATCH: u32 = 500;

pub(crate) async fn export(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::LogQuery>()?;
    // An export has no pages; a cursor says where it begins.
    let page = page.by_id()?;
    let filter = handlers::filter(&query)?;
    let lines = lines(context.db, filter, page.after);
    Ok(Reply::stream("application/x-ndjson", lines))
}

type Piece = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Where the next batch begins.
enum Next {
    From(Option<String>),
    Nothing,
}

fn lines(db: Database, filter: Filter, after: Option<String>) -> impl Stream<Item = Piece> {
    stream::try_unfold(
        (filter, Next::From(after)),
        move |(filter, next)| async move {
            let Next::From(after) = next else {
                return Ok(None);
            };
            let listed = logs::page_of(&db, &filter, BATCH, after.as_deref()).await?;
            let mut text = Vec::new();
            for entry in listed.items {
                serde_json::to_writer(&mut text, &wire::LogBody::from(entry))?;
                text.push(b'\n');
            }
            let next = match listed.next_cursor {
                Some(cursor) => Next::From(Some(cursor)),
                None => Next::Nothing,
            };
            Ok(Some((Bytes::from(text), (filter, next))))
        },
    )
}
