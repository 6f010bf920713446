//! Instants, time zones, and what a local time means.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tables::TIME_ZONES;

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

/// Bytes of `2026-12-01T09:00:00.000Z`.
const LENGTH: usize = 24;

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
        formatter.write_str(self.write(&mut [0; LENGTH]))
    }
}

impl Instant {
    /// Writes the digits. Lists are full of times, and the general formatter is slow at them.
    fn write(self, buffer: &mut [u8; LENGTH]) -> &str {
        *buffer = *b"0000-00-00T00:00:00.000Z";
        let (date, time) = {
            let utc = self.to_utc();
            (utc.date_naive(), utc.time())
        };
        let mut put = |start: usize, digits: usize, mut number: u32| {
            for digit in buffer.iter_mut().skip(start).take(digits).rev() {
                *digit += u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        };
        put(0, 4, date.year().unsigned_abs());
        put(5, 2, date.month());
        put(8, 2, date.day());
        put(11, 2, time.hour());
        put(14, 2, time.minute());
        put(17, 2, time.second());
        put(20, 3, time.nanosecond() / 1_000_000);
        std::str::from_utf8(buffer).unwrap_or_default()
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
        serializer.serialize_str(self.write(&mut [0; LENGTH]))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_instant(&text).map_err(serde::de::Error::custom)
    }
}

/// A day of the week, Monday first (ISO 8601).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the days of the week")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    /// Every day of the week.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }

    /// The day before.
    #[must_use]
    pub const fn before(self) -> Self {
        Self::ALL[(self as usize + 6) % 7]
    }
}

/// A time zone of the IANA database, with the rules compiled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time, the zone of a bot that names none.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Reads the name of a zone as the database writes it, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// [`TimeError::UnknownZone`] for any other text.
    pub fn parse(name: &str) -> Result<Self, TimeError> {
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        // Where the component runs there is no database but the one it brings along.
        let rules = TIME_ZONES.get(name).ok_or(TimeError::UnknownZone)?;
        let zone = TimeZone::tzif(name, rules).map_err(|_| TimeError::UnknownZone)?;
        Ok(Self(zone))
    }

    /// The zone's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What clocks in the zone show at `instant`, such as `2026-12-01T09:00:00`.
    #[must_use]
    pub fn local(&self, instant: Instant) -> String {
        let local = self.local_time(instant);
        format!("{}T{:.0}", local.date(), local.time())
    }

    /// The instants at which the zone's calendar day that holds `instant` begins and ends. The end is the next day's beginning.
    #[must_use]
    pub fn day_of(&self, instant: Instant) -> (Instant, Instant) {
        let day = self.local_time(instant).date();
        let start_of = |day: civil::Date| self.instant_of(day.to_datetime(civil::Time::MIN));
        let start = start_of(day).unwrap_or(Instant::MIN);
        // Where a zone skipped a whole day, the day after is its neighbour; see `resolve_local`.
        let end = day.tomorrow().ok().and_then(start_of);
        (start, end.unwrap_or(Instant::MAX))
    }

    /// The day of the week and the minute of the day that clocks in the zone show at `instant`.
    #[must_use]
    pub fn day_and_minute(&self, instant: Instant) -> (Day, u16) {
        let local = self.local_time(instant);
        let day = local.date().weekday().to_monday_zero_offset();
        let day = Day::ALL
            .into_iter()
            .find(|other| *other as i8 == day)
            .unwrap_or(Day::Monday);
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        (day, minute.unsigned_abs())
    }

    fn local_time(&self, instant: Instant) -> civil::DateTime {
        // Every instant is within the library's range of years.
        let timestamp = Timestamp::from_millisecond(instant.0).unwrap_or(Timestamp::UNIX_EPOCH);
        self.0.to_datetime(timestamp)
    }

    /// The instant of a local time, by the rule of [`resolve_local`].
    fn instant_of(&self, local: civil::DateTime) -> Option<Instant> {
        let timestamp = self.0.to_ambiguous_timestamp(local).compatible().ok()?;
        Instant::exactly(timestamp.as_millisecond()).ok()
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
pub fn resolve_local(zone: &Zone, local: &str) -> Result<Instant, TimeError> {
    let local = parse_local(local).ok_or(TimeError::NotLocalTime)?;
    zone.instant_of(local).ok_or(TimeError::OutOfRange)
}

/// Reads `2026-12-01T09:00` and `2026-12-01T09:00:30`, every digit in place.
fn parse_local(text: &str) -> Option<civil::DateTime> {
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
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let year: i16 = text.get(0..4)?.parse().ok()?;
    let date = civil::Date::new(year, number(5, 7)?, number(8, 10)?).ok()?;
    let seconds = if text.len() == 19 { number(17, 19)? } else { 0 };
    let time = civil::Time::new(number(11, 13)?, number(14, 16)?, seconds, 0).ok()?;
    Some(date.to_datetime(time))
}

#[cfg(test)]
#[path = "time_zone_tests.rs"]
mod tests;
