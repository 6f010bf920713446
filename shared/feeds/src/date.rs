//! Dates as feeds write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// Unix milliseconds of RFC 3339, RFC 2822, or a bare ISO date; `None` for anything else. A
/// feed's dates are unreliable: nothing rests on them.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() > 64 {
        return None;
    }
    let moment = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc2822(text))
        .map(|moment| moment.timestamp_millis())
        .or_else(|_| {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S")
                .map(|moment| moment.and_utc().timestamp_millis())
        })
        .ok()
        .or_else(|| {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
        })?;
    // Before feeds were, or after anybody reads this, it is a mistake.
    (0..=32_503_680_000_000).contains(&moment).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        let wanted = Some(1_795_183_200_000);
        for text in [
            "Fri, 20 Nov 2026 06:00:00 -0800",
            "Fri, 20 Nov 2026 14:00:00 GMT",
            "2026-11-20T14:00:00Z",
            " 2026-11-20T15:00:00+01:00\n",
            "2026-11-20T14:00:00",
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
        assert_eq!(parse("2026-11-20"), Some(1_795_132_800_000));
        for bad in ["", "yesterday", "0001-01-01T00:00:00Z", &"9".repeat(100)] {
            assert_eq!(parse(bad), None);
        }
    }
}
