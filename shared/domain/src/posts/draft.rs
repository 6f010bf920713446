//! What is asked for, checked before anything is changed.

use crate::time_zone::{Zone, parse_instant, resolve_local};
use crate::weighted_length::PostText;
use crate::{Error, FieldError, Instant};

/// Most parts of a thread.
const PARTS: usize = 25;
/// A time this far past is taken for "now": clocks differ, requests travel.
const LATE_MILLISECONDS: i64 = 60_000;

/// What is asked for: exactly one of `text` and `thread`, at most one of the times.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// A single post.
    pub text: Option<String>,
    /// Several, each a reply to the one before.
    pub thread: Option<Vec<String>>,
    /// RFC 3339 with an offset.
    pub scheduled_at: Option<String>,
    /// `2026-12-01T09:00` in the bot's time zone.
    pub local_time: Option<String>,
    /// Whether a person must approve it first.
    pub requires_approval: Option<bool>,
}

/// What can be changed about a post that has not been sent.
pub type PostChange = Draft;

/// Where each part stands in the request.
pub(super) fn pointers(draft: &Draft) -> fn(usize) -> String {
    match draft.text {
        Some(_) => |_| "/text".to_owned(),
        None => |part| format!("/thread/{part}"),
    }
}

pub(super) fn texts(draft: &Draft) -> Result<Option<Vec<String>>, Error> {
    let pointer = pointers(draft);
    let given: Vec<&String> = match (&draft.text, &draft.thread) {
        (Some(text), None) => vec![text],
        (None, Some(thread)) => thread.iter().collect(),
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "/thread",
                "give either text or thread, not both",
            ));
        }
    };
    if given.is_empty() || given.len() > PARTS {
        return Err(Error::invalid(
            "/thread",
            format!("must have 1 to {PARTS} parts"),
        ));
    }
    let mut errors = Vec::new();
    let mut parts = Vec::new();
    for (part, text) in given.into_iter().enumerate() {
        match PostText::parse(text) {
            Ok(text) => parts.push(text.as_str().to_owned()),
            Err(error) => errors.push(FieldError {
                pointer: pointer(part),
                detail: error.to_string(),
            }),
        }
    }
    if errors.is_empty() {
        Ok(Some(parts))
    } else {
        Err(Error::Invalid(errors))
    }
}

/// The moment that is asked for. The request is checked, never the row it would change.
pub(super) fn moment(draft: &Draft, timezone: &str) -> Result<Option<Instant>, Error> {
    let (instant, pointer) = match (&draft.scheduled_at, &draft.local_time) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "/local_time",
                "give either scheduled_at or local_time, not both",
            ));
        }
        (Some(text), None) => (
            parse_instant(text)
                .map_err(|error| Error::invalid("/scheduled_at", error.to_string()))?,
            "/scheduled_at",
        ),
        (None, Some(text)) => {
            let zone = Zone::parse(timezone).map_err(|error| Error::Internal(error.to_string()))?;
            (
                resolve_local(&zone, text)
                    .map_err(|error| Error::invalid("/local_time", error.to_string()))?,
                "/local_time",
            )
        }
    };
    let late = Instant::now().millis_since(instant);
    if late > LATE_MILLISECONDS {
        return Err(Error::invalid(pointer, "is in the past"));
    }
    Ok(Some(instant))
}
