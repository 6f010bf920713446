//! Instants, time zones, and what a local time means.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a time could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not RFC 3339 with an offset, such as `2026-12-01T09:00:00Z` or `…+01:00`.
    #[error("must be an RFC 3339 time with an offset, such as 2026-12-01T09:00:00Z")]
    NotRfc3339,
    /// Not a local time such as `2026-12-01T09:00`.
    #[error("must be a local time without an offset, such as 2026-12-01T09:00")]
    NotLocalTime,
    /// No zone of the IANA database.
    #[error("must be a time zone of the IANA database, such as Europe/Berlin")]
    UnknownZone,
    /// Outside the years 0000 to 9999 that RFC 3339 can write.
    #[error("must lie in the years 0000 to 9999")]
    OutOfRange,
}

/// A point on the time line, to the millisecond: Unix milliseconds within the years 0000 to 9999.
///
/// In JSON, and wherever people see it, RFC 3339 in UTC with milliseconds:
/// `2026-12-01T09:00:00.000Z`. These texts sort as the instants do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// The first instant, `0000-01-01T00:00:00.000Z`.
    pub const MIN: Self = Self(-62_167_219_200_000);
    /// The last instant, `9999-12-31T23:59:59.999Z`.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The system's time.
    #[must_use]
    pub fn now() -> Self {
        Self::from_unix_millis(Utc::now().timestamp_millis())
    }

    /// The instant `millis` milliseconds after 1970-01-01T00:00:00Z; beyond [`Instant::MIN`] or
    /// [`Instant::MAX`], that one.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// The instant `seconds` seconds after 1970-01-01T00:00:00Z, within the same bounds.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_unix_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The instant `millis` milliseconds later (earlier, when negative), within the same bounds.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// The instant `duration` later, within the same bounds.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        self.plus_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds from `earlier` to here; negative when it is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    fn to_utc(self) -> DateTime<Utc> {
        // Every value within the bounds is in chrono's range; the epoch is never used.
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    fn exactly(millis: i64) -> Result<Self, TimeError> {
        let instant = Self::from_unix_millis(millis);
        if instant.0 == millis {
            Ok(instant)
        } else {
            Err(TimeError::OutOfRange)
        }
    }
}

/// Reads an RFC 3339 time. The offset is mandatory: a time without one means nothing. Digits
/// beyond the millisecond are dropped.
///
/// # Errors
/// [`TimeError::NotRfc3339`], and [`TimeError::OutOfRange`] when the offset moves it out of the
/// years that can be written.
pub fn parse_instant(text: &str) -> Result<Instant, TimeError> {
    // RFC 3339, section 5.6, lets a space stand for the T only by agreement; there is none here.
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
        return Err(TimeError::NotRfc3339);
    }
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| TimeError::NotRfc3339)?;
    Instant::exactly(parsed.timestamp_millis())
}

impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_utc()
            .format("%Y-%m-%dT%H:%M:%S%.3fZ")
            .fmt(formatter)
    }
}

impl FromStr for Instant {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        parse_instant(text)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_instant(&text).map_err(serde::de::Error::custom)
    }
}

/// A time zone of the IANA database, with the rules compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

impl Zone {
    /// Coordinated universal time, the zone of a bot that names none.
    pub const UTC: Self = Self(Tz::UTC);

    /// Reads the name of a zone as the database writes it, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// [`TimeError::UnknownZone`] for any other text.
    pub fn parse(name: &str) -> Result<Self, TimeError> {
        name.parse().map(Self).map_err(|_| TimeError::UnknownZone)
    }

    /// The zone's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What clocks in the zone show at `instant`, such as `2026-12-01T09:00:00`.
    #[must_use]
    pub fn local(self, instant: Instant) -> String {
        self.local_time(instant)
            .format("%Y-%m-%dT%H:%M:%S")
            .to_string()
    }

    /// The instants at which the zone's calendar day that holds `instant` begins and ends: what a
    /// daily limit counts by. The end is the next day's beginning.
    #[must_use]
    pub fn day_of(self, instant: Instant) -> (Instant, Instant) {
        let day = self.local_time(instant).date();
        let start_of = |day: NaiveDate| {
            let midnight = day.and_time(chrono::NaiveTime::MIN);
            Instant::from_unix_millis(self.millis_of(midnight))
        };
        let start = start_of(day);
        // Where a zone skipped a whole day, the day after is its neighbour; see `resolve_local`.
        let end = day.succ_opt().map_or(Instant::MAX, start_of);
        (start, end)
    }

    fn local_time(self, instant: Instant) -> NaiveDateTime {
        instant.to_utc().with_timezone(&self.0).naive_local()
    }

    /// The zone's offset in seconds east of UTC at the Unix second `at`.
    fn offset_at(self, at: i64) -> i64 {
        DateTime::from_timestamp(at, 0).map_or(0, |utc| {
            let offset = self.0.offset_from_utc_datetime(&utc.naive_utc());
            i64::from(offset.fix().local_minus_utc())
        })
    }

    /// Unix milliseconds of a local time, by the rule of [`resolve_local`].
    fn millis_of(self, local: NaiveDateTime) -> i64 {
        if let Some(earliest) = self.0.from_local_datetime(&local).earliest() {
            return earliest.timestamp_millis();
        }
        // No clock showed this time. Look for the transition that jumped over it: before it the
        // clocks are behind `wanted`, after it ahead. Offsets are less than a day either way, so
        // two days around hold it.
        let wanted = local.and_utc().timestamp();
        let (mut before, mut after) = (wanted - 86_400, wanted + 86_400);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if middle + self.offset_at(middle) < wanted {
                before = middle;
            } else {
                after = middle;
            }
        }
        let offset = TimeDelta::seconds(self.offset_at(before));
        (local.and_utc().timestamp_millis()).saturating_sub(offset.num_milliseconds())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The instant at which clocks in `zone` show `local` (`2026-12-01T09:00`, or with seconds).
///
/// Two cases need a rule, and there is one rule everywhere, that of `java.time` and of
/// ECMAScript's Temporal ("compatible"):
///
/// - **Gap** (clocks go forward over it): shifted forward by the gap's length, which is to say
///   read with the offset before the change. 02:30 in Berlin on 2026-03-29 means 03:30 summer
///   time: nothing is left out, and what came before stays before.
/// - **Overlap** (clocks go back, and show it twice): the earlier of the two.
///
/// # Errors
/// [`TimeError::NotLocalTime`] for any other form, an offset included, and for days that no
/// calendar has; [`TimeError::OutOfRange`] at the very ends of time.
pub fn resolve_local(zone: Zone, local: &str) -> Result<Instant, TimeError> {
    let local = parse_local(local).ok_or(TimeError::NotLocalTime)?;
    Instant::exactly(zone.millis_of(local))
}

/// Reads `2026-12-01T09:00` and `2026-12-01T09:00:30`, every digit in place.
fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let pattern: &[u8] = match text.len() {
        16 => b"0000-00-00T00:00",
        19 => b"0000-00-00T00:00:00",
        _ => return None,
    };
    let fits = text
        .bytes()
        .zip(pattern)
        .all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            _ => byte == *expected,
        });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let seconds = if text.len() == 19 { number(17, 19)? } else { 0 };
    NaiveDate::from_ymd_opt(
        i32::try_from(number(0, 4)?).ok()?,
        number(5, 7)?,
        number(8, 10)?,
    )?
    .and_hms_opt(number(11, 13)?, number(14, 16)?, seconds)
}

#[cfg(test)]
#[path = "time_zone_tests.rs"]
mod tests;
