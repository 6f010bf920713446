//! The hours of the week in which posts go out, by the clock of the bot's own time zone.

use serde_json::{Value as Json, json};

use crate::Instant;
use crate::time_zone::{Day, Zone};

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Most windows of one list.
const WINDOWS: usize = 50;

/// A window that opens on each of its days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishingWindow {
    days: Vec<Day>,
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight, the first that is outside. Not after `from`: on the next day.
    to: u16,
}

impl PublishingWindow {
    fn contains(&self, day: Day, minute: u16) -> bool {
        let opens_on = |day: Day| self.days.contains(&day);
        if self.from < self.to {
            return opens_on(day) && (self.from..self.to).contains(&minute);
        }
        (opens_on(day) && minute >= self.from) || (opens_on(day.before()) && minute < self.to)
    }
}

/// All windows; none at all means always.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishingWindows(Vec<PublishingWindow>);

impl PublishingWindows {
    /// Whether posts go out at any time.
    #[must_use]
    pub fn always_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a bot in `zone` may begin to publish at `now`.
    #[must_use]
    pub fn is_open(&self, zone: &Zone, now: Instant) -> bool {
        let (day, minute) = zone.day_and_minute(now);
        self.always_open() || self.0.iter().any(|window| window.contains(day, minute))
    }

    /// Reads `[{"days": ["monday", …], "from": "08:00", "to": "22:00"}, …]`. Without `days` it is
    /// every day; `to` may be `24:00`; a window whose `to` is before its `from` ends on the next
    /// day.
    ///
    /// # Errors
    /// As [`super::Setting::parse`].
    pub(super) fn parse(json: &Json) -> Result<Self, (String, String)> {
        let list = json
            .as_array()
            .filter(|list| list.len() <= WINDOWS)
            .ok_or_else(|| {
                (
                    String::new(),
                    format!("must be a list of at most {WINDOWS}"),
                )
            })?;
        list.iter()
            .enumerate()
            .map(|(index, window)| {
                parse_window(window)
                    .map_err(|(pointer, detail)| (format!("/{index}{pointer}"), detail.to_owned()))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn to_json(&self) -> Json {
        let windows = self.0.iter().map(|window| {
            let days: Vec<_> = window.days.iter().map(|day| day.as_str()).collect();
            json!({"days": days, "from": written(window.from), "to": written(window.to)})
        });
        windows.collect()
    }
}

fn parse_window(json: &Json) -> Result<PublishingWindow, (String, &'static str)> {
    let object = json
        .as_object()
        .ok_or((String::new(), "must be an object"))?;
    for name in object.keys() {
        if !["days", "from", "to"].contains(&name.as_str()) {
            // What is no name of ours may be anything: it is not repeated.
            return Err((String::new(), "must have `days`, `from` and `to` only"));
        }
    }
    let time = |name: &str| {
        let text = object.get(name).and_then(Json::as_str);
        text.and_then(parse_time)
            .ok_or((format!("/{name}"), "must be a time of day such as 08:00"))
    };
    let (from, to) = (time("from")?, time("to")?);
    if from == DAY {
        let detail = "must be before 24:00, which is the end of a day";
        return Err(("/from".to_owned(), detail));
    }
    if from == to {
        let detail = "must not be the moment of its opening; the whole day is 00:00 to 24:00";
        return Err(("/to".to_owned(), detail));
    }
    // A window that closes at midnight closes at the end of its day.
    let to = if to == 0 { DAY } else { to };
    let mut days = match object.get("days") {
        None => Day::ALL.to_vec(),
        Some(list) => parse_days(list)?,
    };
    days.sort_unstable();
    days.dedup();
    Ok(PublishingWindow { days, from, to })
}

fn parse_days(json: &Json) -> Result<Vec<Day>, (String, &'static str)> {
    let list = json
        .as_array()
        .filter(|list| (1..=7).contains(&list.len()))
        .ok_or(("/days".to_owned(), "must be a list of 1 to 7 days"))?;
    list.iter()
        .enumerate()
        .map(|(index, day)| {
            let name = day.as_str();
            Day::ALL
                .into_iter()
                .find(|day| Some(day.as_str()) == name)
                .ok_or_else(|| {
                    let pointer = format!("/days/{index}");
                    (pointer, "must be a day of the week such as monday")
                })
        })
        .collect()
}

/// `08:00` to `24:00`, every digit in place.
fn parse_time(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let time = hours * 60 + minutes;
    (minutes < 60 && time <= DAY).then_some(time)
}

fn written(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time_zone::parse_instant;

    fn open(windows: &Json, zone: &str, at: &str) -> bool {
        let windows = PublishingWindows::parse(windows).unwrap();
        windows.is_open(&Zone::parse(zone).unwrap(), parse_instant(at).unwrap())
    }

    #[test]
    fn hours_are_those_of_the_bots_clock() {
        let windows = json!([{"from": "08:00", "to": "22:00"}]);
        // Summer time in Berlin began on 2026-03-29: eight o'clock is an hour earlier in UTC.
        for (at, berlin, tokyo) in [
            ("2026-03-28T06:59:00Z", false, true),
            ("2026-03-28T07:00:00Z", true, true),
            ("2026-03-30T05:59:59Z", false, true),
            ("2026-03-30T06:00:00Z", true, true),
            ("2026-03-30T13:00:00Z", true, false),
            ("2026-03-30T20:00:00Z", false, false),
        ] {
            assert_eq!(open(&windows, "Europe/Berlin", at), berlin, "{at}");
            assert_eq!(open(&windows, "Asia/Tokyo", at), tokyo, "{at}");
        }
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_opens_on() {
        let windows = json!([{"days": ["friday"], "from": "22:00", "to": "02:00"}]);
        for (at, wanted) in [
            ("2026-11-20T21:59:00Z", false),
            ("2026-11-20T22:00:00Z", true),
            ("2026-11-21T01:59:00Z", true),
            ("2026-11-21T02:00:00Z", false),
            ("2026-11-20T01:00:00Z", false),
            ("2026-11-21T23:00:00Z", false),
        ] {
            assert_eq!(open(&windows, "UTC", at), wanted, "{at}");
        }
    }

    #[test]
    fn the_whole_day_and_no_window_at_all_are_always() {
        for windows in [json!([]), json!([{"from": "00:00", "to": "24:00"}])] {
            for at in ["2026-11-20T00:00:00Z", "2026-11-20T23:59:59Z"] {
                assert!(open(&windows, "UTC", at));
            }
        }
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        for (bad, pointer) in [
            (json!({}), ""),
            (json!([5]), "/0"),
            (json!([{"from": "08:00"}]), "/0/to"),
            (json!([{"from": "8:00", "to": "09:00"}]), "/0/from"),
            (json!([{"from": "08:60", "to": "09:00"}]), "/0/from"),
            (json!([{"from": "08:00", "to": "24:01"}]), "/0/to"),
            (json!([{"from": "08:00", "to": "08:00"}]), "/0/to"),
            (json!([{"from": "24:00", "to": "08:00"}]), "/0/from"),
            (
                json!([{"from": "08:00", "to": "09:00", "days": []}]),
                "/0/days",
            ),
            (
                json!([{"from": "08:00", "to": "09:00"}, {"from": "08:00", "to": "09:00", "days": ["monday", "Mon"]}]),
                "/1/days/1",
            ),
            (
                json!([{"from": "08:00", "to": "09:00", "zone": "UTC"}]),
                "/0",
            ),
        ] {
            assert_eq!(
                PublishingWindows::parse(&bad).unwrap_err().0,
                pointer,
                "{bad}"
            );
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let given =
            json!([{"from": "22:00", "to": "02:30", "days": ["sunday", "friday", "sunday"]}]);
        let windows = PublishingWindows::parse(&given).unwrap();
        let written = windows.to_json();
        assert_eq!(written[0]["days"], json!(["friday", "sunday"]));
        assert_eq!(PublishingWindows::parse(&written).unwrap(), windows);
    }
}
