//! One JSON line a request on standard output, which Spin and the embedded host collect.

use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) timestamp: String,
    pub(crate) level: &'static str,
    pub(crate) message: &'static str,
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a str,
    /// The route's pattern, so that ids and queries stay out of the log.
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    pub(crate) duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<&'a str>,
}

impl Line<'_> {
    #[allow(
        clippy::print_stdout,
        reason = "standard output is where a component logs"
    )]
    pub(crate) fn write(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            println!("{line}");
        }
    }
}

/// One line about something that failed after its request was answered.
#[allow(
    clippy::print_stdout,
    reason = "standard output is where a component logs"
)]
pub(crate) fn failed(message: &'static str, cause: &str) {
    let timestamp = vivesphere_domain::Instant::now().to_string();
    let line = serde_json::json!({
        "timestamp": timestamp, "level": "error", "message": message, "cause": cause,
    });
    println!("{line}");
}
