//! Records for the logs, handed over without making anybody wait: the write happens after the
//! answer is on its way. A request that only reads leaves none.

use http::Method;
use serde_json::Value;
use vivesphere_db::Database;
use vivesphere_domain::logs::{self, Level, LogType, Record};

use crate::{Problem, Reply};

/// What a run's answer says besides what was done.
const NOT_DONE: [&str; 3] = ["duration_ms", "remaining", "dropped"];

/// Puts records of the application's own into the log queue, after the answer. What cannot be
/// written is told on standard output, where the rest of the log is.
pub fn hand_over(records: Vec<Record>) {
    if records.is_empty() {
        return;
    }
    spin_sdk::wasip3::spawn(async move {
        let written = match Database::open().await {
            Ok(db) => logs::hand_over(&db, records).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            crate::access_log::failed("log records are lost", &error.to_string());
        }
    });
}

/// What is known of a request that has been answered.
pub(crate) struct Answered<'a> {
    pub(crate) method: &'a Method,
    pub(crate) route: &'static str,
    pub(crate) request_id: &'a str,
    pub(crate) principal: Option<&'a str>,
    pub(crate) duration_ms: f64,
}

/// What the logs are told of an answer: a problem of ours in `console`, its cause in `debug`; a
/// worker's run in `terminal`, when it did anything. User activity is told by the log writer, from
/// the audit trail.
pub(crate) fn records(answered: &Answered<'_>, result: &Result<Reply, Problem>) -> Vec<Record> {
    match result {
        Err(problem) if problem.status.is_server_error() => of_problem(answered, problem),
        Ok(reply) => of_run(answered.route, &reply.body)
            .map(|(job, answer)| {
                let message = format!("{job} ran");
                let record = Record::new(LogType::Terminal, Level::Info, job, &message);
                vec![answered.described(record).with("answer", &answer)]
            })
            .unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

impl Answered<'_> {
    fn described(&self, record: Record) -> Record {
        record
            .actor(self.principal.unwrap_or_default())
            .with("request_id", &self.request_id)
            .with("duration_ms", &self.duration_ms)
    }
}

fn of_problem(answered: &Answered<'_>, problem: &Problem) -> Vec<Record> {
    // It would push out what the queue is full of.
    if problem.code == "log_queue_full" {
        return Vec::new();
    }
    let status = problem.status.as_u16();
    let service = service(answered.route);
    let message = format!(
        "{} {} was answered with {status} {}",
        answered.method, answered.route, problem.code
    );
    let record = Record::new(LogType::Console, Level::Error, service, &message);
    let record = answered
        .described(record)
        .with("status", &status)
        .with("code", &problem.code)
        .with("detail", &problem.detail);
    let mut records = vec![record];
    if let Some(cause) = &problem.cause {
        let record = Record::new(LogType::Debug, Level::Error, service, cause);
        let record = answered.described(record).with("code", &problem.code);
        records.push(record);
    }
    records
}

/// The part of the application that a route belongs to: the first segment that names one, or the
/// job.
fn service(route: &str) -> &str {
    let rest = ["/api/v1/jobs/", "/api/v1/", "/internal/"]
        .iter()
        .find_map(|prefix| route.strip_prefix(prefix))
        .unwrap_or(route.trim_start_matches('/'));
    rest.split('/').next().unwrap_or_default()
}

/// Whether a route is a worker's job entry.
pub(crate) fn is_run(route: &str) -> bool {
    route.starts_with("/api/v1/jobs/")
}

/// The job of a run that did something, and what it answered.
fn of_run<'a>(route: &'a str, body: &[u8]) -> Option<(&'a str, Value)> {
    let job = route.strip_prefix("/api/v1/jobs/")?.strip_suffix("/run")?;
    let answer: Value = serde_json::from_slice(body).ok()?;
    let done = answer.as_object()?.iter().any(|(name, value)| match job {
        // Would it tell of what it drained, there would be something to drain again.
        "drain-logs" => name == "deleted" && counts(value),
        _ => !NOT_DONE.contains(&name.as_str()) && counts(value),
    });
    done.then_some((job, answer))
}

/// Whether a number other than zero is in it.
fn counts(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Array(values) => values.iter().any(counts),
        Value::Object(fields) => fields.values().any(counts),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISH: &str = "/api/v1/jobs/publish/run";
    const DRAIN: &str = "/api/v1/jobs/drain-logs/run";

    #[test]
    fn a_run_that_did_nothing_is_not_told_of() {
        for (route, body, told) in [
            (
                PUBLISH,
                r#"{"claimed":0,"remaining":9,"duration_ms":5}"#,
                false,
            ),
            (
                PUBLISH,
                r#"{"claimed":1,"remaining":0,"duration_ms":5}"#,
                true,
            ),
            (PUBLISH, r#"{"deleted":{"a":0,"b":[1]}}"#, true),
            (
                DRAIN,
                r#"{"drained":{"debug":5},"deleted":{"debug":0}}"#,
                false,
            ),
            (
                DRAIN,
                r#"{"drained":{"debug":5},"deleted":{"debug":2}}"#,
                true,
            ),
            ("/api/v1/bots/list", r#"{"items":[1]}"#, false),
            (PUBLISH, "not json", false),
        ] {
            assert_eq!(of_run(route, body.as_bytes()).is_some(), told, "{body}");
        }
    }

    #[test]
    fn a_route_belongs_to_a_part_of_the_application() {
        for (route, wanted) in [
            ("/api/v1/bots/{bot_id}/posts", "bots"),
            (PUBLISH, "publish"),
            ("/internal/botdata/store", "botdata"),
            ("", ""),
        ] {
            assert_eq!(service(route), wanted);
        }
    }
}
