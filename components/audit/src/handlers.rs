//! Extract → parse → domain → wire.

use vivesphere_crypto::ChainHash;
use vivesphere_domain::audit::{self, Filter, Place, Position};
use vivesphere_domain::{Error, Instant, Page, time_zone};
use vivesphere_http::{Context, List, Problem, Reply, TimeBudget};

use crate::wire;

const DEFAULT_SECONDS: u32 = 20;

fn moment(name: &str, text: Option<&String>) -> Result<Option<Instant>, Problem> {
    text.map(|text| time_zone::parse_instant(text))
        .transpose()
        .map_err(|error| Error::invalid(format!("/{name}"), error.to_string()).into())
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::AuditQuery>()?;
    let after = page.cursor.as_deref().map(Position::parse).transpose()?;
    let filter = Filter {
        from: moment("from", query.from.as_ref())?,
        to: moment("to", query.to.as_ref())?,
        subject_id: query.subject_id,
        actor_id: query.actor_id,
        action: query.action,
    };
    let page = Page::parse(page.limit, None)?;
    let listed = audit::list(&context.db, &filter, &page, after).await?;
    Reply::ok(&List::<wire::AuditBody>::of(listed))
}

/// The place that a query names, or the chain's beginning.
fn place(query: &wire::VerifyQuery) -> Result<Place, Error> {
    let (audit_id, hash) = match (query.from_audit_id, query.from_hash.as_deref()) {
        (None, None) => return Ok(Place::START),
        (Some(audit_id), Some(hash)) => (audit_id, hash),
        (Some(_), None) => return Err(Error::invalid("/from_hash", "is missing")),
        (None, Some(_)) => return Err(Error::invalid("/from_audit_id", "is missing")),
    };
    let hash = ChainHash::from_hex(hash)
        .ok_or_else(|| Error::invalid("/from_hash", "must be 64 hexadecimal digits"))?;
    match audit_id {
        1.. => Ok(Place { audit_id, hash }),
        0 if hash == ChainHash::GENESIS => Ok(Place::START),
        _ => Err(Error::invalid("/from_audit_id", "must be a row's")),
    }
}

pub(crate) async fn verify(context: Context) -> Result<Reply, Problem> {
    let query: wire::VerifyQuery = context.query()?;
    let from = place(&query)?;
    let time = TimeBudget::of(query.budget_seconds.unwrap_or(DEFAULT_SECONDS));
    let found = audit::verify(&context.db, from, time.end()).await?;
    let first_broken = found.broken.map(|broken| wire::BrokenBody {
        audit_id: broken.audit_id,
        reason: broken.reason,
    });
    Reply::ok(&wire::VerificationBody {
        intact: first_broken.is_none(),
        complete: found.complete,
        verified_rows: found.verified_rows,
        unsealed_rows: found.unsealed_rows,
        first_broken,
        walked_to: found.place.into(),
        head: found.head.place.into(),
        duration_ms: time.spent_ms(),
    })
}
