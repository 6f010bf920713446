//! Extract → parse → domain → wire.

use vivesphere_domain::logs::{self, Filter, Level, LogType, Record};
use vivesphere_domain::{Error, Instant, time_zone};
use vivesphere_http::{Context, FieldError, List, Object, Problem, Reply, StatusCode};

use crate::{group_commit, wire};

/// Most records of one request.
const RECORDS: usize = 1000;
/// Longest text that is looked for.
const TEXT: usize = 200;

pub(crate) async fn submit(context: Context) -> Result<Reply, Problem> {
    let body: wire::Submit = context.json()?;
    let by = &context.principal()?.id;
    let single = body.records.is_none();
    let records = records(body, by).map_err(Problem::invalid)?;
    let mut log_ids: Vec<String> = records
        .iter()
        .map(|record| record.log_id().to_owned())
        .collect();
    group_commit::submit(context.db, records).await?;
    if single {
        let log_id = log_ids.pop().unwrap_or_default();
        return Reply::json(StatusCode::ACCEPTED, &wire::Answered::One { log_id });
    }
    Reply::json(StatusCode::ACCEPTED, &wire::Answered::Several { log_ids })
}

fn records(body: wire::Submit, by: &str) -> Result<Vec<Record>, Vec<FieldError>> {
    let wrong = |pointer: &str, detail: &str| FieldError {
        pointer: pointer.to_owned(),
        detail: detail.to_owned(),
    };
    let (log_type, log_data) = (body.log_type, body.log_data);
    let Some(records) = body.records else {
        let missing = |pointer| wrong(pointer, "is missing");
        return match (log_type, log_data) {
            (Some(log_type), Some(log_data)) => logs::submitted(by, &log_type, log_data, "")
                .map(|record| vec![record])
                .map_err(|error| vec![error]),
            (log_type, log_data) => Err([
                log_type.is_none().then(|| missing("/log_type")),
                log_data.is_none().then(|| missing("/log_data")),
            ]
            .into_iter()
            .flatten()
            .collect()),
        };
    };
    if log_type.is_some() || log_data.is_some() {
        let detail = "cannot stand beside log_type and log_data";
        return Err(vec![wrong("/records", detail)]);
    }
    if !(1..=RECORDS).contains(&records.len()) {
        let detail = format!("must be 1 to {RECORDS} records");
        return Err(vec![wrong("/records", &detail)]);
    }
    let read = records
        .into_iter()
        .enumerate()
        .map(|(number, Object(record))| {
            let pointer = format!("/records/{number}");
            logs::submitted(by, &record.log_type, record.log_data, &pointer)
        });
    let (mut good, mut errors) = (Vec::new(), Vec::new());
    for record in read {
        match record {
            Ok(record) => good.push(record),
            Err(error) => errors.push(error),
        }
    }
    match errors.is_empty() {
        true => Ok(good),
        false => Err(errors),
    }
}

fn moment(name: &str, text: Option<&String>) -> Result<Option<Instant>, Problem> {
    text.map(|text| time_zone::parse_instant(text))
        .transpose()
        .map_err(|error| Error::invalid(format!("/{name}"), error.to_string()).into())
}

/// The filter of a query.
pub(crate) fn filter(query: &wire::LogQuery) -> Result<Filter, Problem> {
    let unknown = |pointer: &str, names: &[&str]| {
        Error::invalid(pointer, format!("must be one of {}", names.join(", ")))
    };
    let log_type = query.log_type.as_ref().map(|name| {
        LogType::parse(name).ok_or_else(|| unknown("/log_type", &LogType::ALL.map(LogType::as_str)))
    });
    let level = query.level.as_ref().map(|name| {
        Level::parse(name).ok_or_else(|| unknown("/level", &Level::ALL.map(Level::as_str)))
    });
    if query
        .text
        .as_ref()
        .is_some_and(|text| text.is_empty() || text.len() > TEXT || text.contains('\0'))
    {
        return Err(Error::invalid(
            "/text",
            format!("must be 1 to {TEXT} bytes, none of them NUL"),
        )
        .into());
    }
    Ok(Filter {
        log_type: log_type.transpose()?,
        level: level.transpose()?,
        service: query.service.clone(),
        actor: query.actor.clone(),
        from: moment("from", query.from.as_ref())?,
        to: moment("to", query.to.as_ref())?,
        text: query.text.clone(),
    })
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::LogQuery>()?;
    let page = page.by_id()?;
    let listed = logs::list(&context.db, &filter(&query)?, &page).await?;
    Reply::ok(&List::<wire::LogBody>::of(listed))
}

fn by_type<T: Copy>(counts: [T; 4]) -> wire::ByType<T> {
    let names = LogType::ALL.iter().map(|log_type| log_type.as_str());
    names.zip(counts).collect()
}

pub(crate) async fn stats(context: Context) -> Result<Reply, Problem> {
    let stats = logs::stats(&context.db).await?;
    let mut retention_days = wire::ByType::new();
    for log_type in LogType::ALL {
        let days = logs::retention(&context.db, log_type).await?;
        retention_days.insert(log_type.as_str(), days);
    }
    Reply::ok(&wire::StatsBody {
        queue_limit: logs::queue_limit(),
        queued: by_type(stats.queued),
        oldest_queued_ms: stats.oldest_queued_ms,
        drained: by_type(stats.drained),
        dropped: by_type(stats.dropped),
        deleted: by_type(stats.deleted),
        retention_days,
    })
}
