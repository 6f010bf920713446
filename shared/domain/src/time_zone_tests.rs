use proptest::prelude::*;

use super::*;

fn resolve(zone: &str, local: &str) -> String {
    resolve_local(&Zone::parse(zone).unwrap(), local)
        .unwrap()
        .to_string()
}

#[test]
fn an_ordinary_time_is_read_with_the_zones_offset() {
    assert_eq!(
        resolve("Europe/Berlin", "2026-12-01T09:00"),
        "2026-12-01T08:00:00.000Z"
    );
    assert_eq!(
        resolve("Asia/Kathmandu", "2026-12-01T09:00:30"),
        "2026-12-01T03:15:30.000Z"
    );
    assert_eq!(
        resolve("UTC", "2026-12-01T09:00"),
        "2026-12-01T09:00:00.000Z"
    );
}

#[test]
fn in_a_gap_it_moves_forward_by_the_gap() {
    for (zone, local, expected) in [
        (
            "Europe/Berlin",
            "2026-03-29T02:00",
            "2026-03-29T01:00:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-29T02:30",
            "2026-03-29T01:30:00.000Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-29T03:00",
            "2026-03-29T01:00:00.000Z",
        ),
        (
            "America/New_York",
            "2026-03-08T02:30",
            "2026-03-08T07:30:00.000Z",
        ),
        // Half an hour.
        (
            "Australia/Lord_Howe",
            "2026-10-04T02:15",
            "2026-10-03T15:45:00.000Z",
        ),
        // At midnight.
        (
            "America/Havana",
            "2026-03-08T00:30",
            "2026-03-08T05:30:00.000Z",
        ),
        // A whole day that Samoa left out.
        (
            "Pacific/Apia",
            "2011-12-30T09:00",
            "2011-12-30T19:00:00.000Z",
        ),
    ] {
        assert_eq!(resolve(zone, local), expected, "{zone} {local}");
    }
}

#[test]
fn in_an_overlap_it_is_the_earlier() {
    for (zone, local, expected) in [
        (
            "Europe/Berlin",
            "2026-10-25T02:30",
            "2026-10-25T00:30:00.000Z",
        ),
        (
            "America/New_York",
            "2026-11-01T01:30",
            "2026-11-01T05:30:00.000Z",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-05T01:45",
            "2026-04-04T14:45:00.000Z",
        ),
    ] {
        assert_eq!(resolve(zone, local), expected, "{zone} {local}");
    }
}

#[test]
fn a_day_may_have_23_or_25_hours() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    for (at, hours) in [
        ("2026-03-29T12:00:00Z", 23),
        ("2026-10-25T12:00:00Z", 25),
        ("2026-12-01T12:00:00Z", 24),
    ] {
        let (start, end) = zone.day_of(at.parse().unwrap());
        assert_eq!(end.millis_since(start), hours * 3_600_000, "{at}");
    }
}

#[test]
fn other_forms_are_refused() {
    let zone = Zone::UTC;
    for local in [
        "",
        "2026-12-01",
        "2026-12-01 09:00",
        "2026-12-01T09:00Z",
        "2026-12-01T09:00:00Z",
        "2026-12-01T09:00+01",
        "2026-13-01T09:00",
        "2026-02-29T09:00",
        "2026-12-01T24:00",
        "2026-12-01T09:60",
        "2026-12-01T09:00:60",
        "+026-12-01T09:00",
        "2026-12-0１T0:0",
    ] {
        assert_eq!(
            resolve_local(&zone, local),
            Err(TimeError::NotLocalTime),
            "{local}"
        );
    }
    for name in [
        "",
        "Berlin",
        "europe/berlin",
        "Europe/Berlin ",
        "+01:00",
        "../etc/passwd",
    ] {
        assert_eq!(Zone::parse(name), Err(TimeError::UnknownZone), "{name}");
    }
    for text in [
        "",
        "2026-12-01T09:00:00",
        "2026-12-01 09:00:00Z",
        "2026-12-01",
        "1764579600",
        "2026-12-01T09:00Z",
    ] {
        assert_eq!(parse_instant(text), Err(TimeError::NotRfc3339), "{text}");
    }
}

#[test]
fn an_offset_is_understood_and_utc_is_written() {
    for (text, expected) in [
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00.000Z"),
        ("2026-12-01T09:00:00.1239+01:00", "2026-12-01T08:00:00.123Z"),
        ("2026-12-01T09:00:00-05:30", "2026-12-01T14:30:00.000Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
    ] {
        assert_eq!(parse_instant(text).unwrap().to_string(), expected);
    }
    assert_eq!(Instant::MIN.to_string(), "0000-01-01T00:00:00.000Z");
    assert_eq!(Instant::MAX.to_string(), "9999-12-31T23:59:59.999Z");
    assert_eq!(
        parse_instant("9999-12-31T23:59:59-01:00"),
        Err(TimeError::OutOfRange)
    );
}

fn any_zone() -> impl Strategy<Value = Zone> {
    let names: Vec<&str> = TIME_ZONES.keys().copied().collect();
    assert!(names.len() > 400);
    prop::sample::select(names).prop_map(|name| Zone::parse(name).unwrap())
}

/// Any instant from 1900 to 2100: the times with rules, and those before them.
fn any_instant() -> impl Strategy<Value = Instant> {
    (-2_208_988_800_i64..4_102_444_800).prop_map(Instant::from_unix_seconds)
}

fn any_local() -> impl Strategy<Value = civil::DateTime> {
    any_instant().prop_map(|instant| Zone::UTC.local_time(instant))
}

/// The zone's offset in seconds east of UTC at the Unix second `at`.
fn offset_at(zone: &Zone, at: i64) -> i64 {
    let offset = zone.0.to_offset(Timestamp::from_second(at).unwrap());
    i64::from(offset.seconds())
}

/// A local time as if it were one of UTC.
fn as_utc(local: civil::DateTime) -> i64 {
    TimeZone::UTC.to_timestamp(local).unwrap().as_second()
}

/// A local time near a change of the clocks: the interesting ones are rare.
fn local_near_change() -> impl Strategy<Value = (Zone, civil::DateTime)> {
    (any_zone(), any_instant(), -90_000_i64..90_000).prop_map(|(zone, from, shift)| {
        let start = from.unix_seconds();
        let change = (0..400)
            .map(|day| start + day * 86_400)
            .find(|at| offset_at(&zone, *at) != offset_at(&zone, at + 86_400))
            .unwrap_or(start);
        let at = Instant::from_unix_seconds(change + shift + offset_at(&zone, change));
        (zone, Zone::UTC.local_time(at))
    })
}

/// The rule, told in another way: among all offsets the zone has near that time, those that make
/// a clock show `local`, the earliest; if there are none, the offset before the jump over it.
fn by_trying_all_offsets(zone: &Zone, local: civil::DateTime) -> i64 {
    let wanted = as_utc(local);
    let mut candidates: Vec<i64> = (-2_880..=2_880)
        .map(|minute| offset_at(zone, wanted + minute * 60))
        .filter(|offset| offset_at(zone, wanted - offset) == *offset)
        .map(|offset| wanted - offset)
        .collect();
    candidates.sort_unstable();
    candidates.first().copied().unwrap_or_else(|| {
        let jump = (wanted - 86_400..=wanted + 86_400)
            .find(|at| at + offset_at(zone, *at) > wanted)
            .unwrap();
        wanted - offset_at(zone, jump - 1)
    })
}

proptest! {
    #[test]
    fn what_clocks_show_leads_back_to_them(zone in any_zone(), instant in any_instant()) {
        let local = zone.local(instant);
        let resolved = resolve_local(&zone, &local).unwrap();
        prop_assert_eq!(zone.local(resolved), local);
        prop_assert!(resolved <= instant);
    }

    #[test]
    fn every_local_time_means_something(zone in any_zone(), local in any_local()) {
        let text = Zone::UTC.local(Instant::from_unix_seconds(as_utc(local)));
        let resolved = resolve_local(&zone, &text).unwrap();
        let shown = zone.local_time(resolved);
        prop_assert!(shown >= local);
        prop_assert!(as_utc(shown) - as_utc(local) <= 86_400);
    }

    #[test]
    fn agrees_with_the_rule_told_in_another_way((zone, local) in local_near_change()) {
        let expected = Instant::from_unix_seconds(by_trying_all_offsets(&zone, local));
        prop_assert_eq!(zone.instant_of(local), Some(expected));
    }

    #[test]
    fn a_day_holds_its_instant(zone in any_zone(), instant in any_instant()) {
        let (start, end) = zone.day_of(instant);
        prop_assert!(start <= instant && instant < end, "{start} {instant} {end}");
    }

    #[test]
    fn instants_come_back_through_text_and_sort_alike(
        one in Instant::MIN.0..=Instant::MAX.0, other in Instant::MIN.0..=Instant::MAX.0,
    ) {
        let (one, other) = (Instant(one), Instant(other));
        prop_assert_eq!(parse_instant(&one.to_string()), Ok(one));
        prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        let json = serde_json::to_string(&one).unwrap();
        prop_assert_eq!(serde_json::from_str::<Instant>(&json).unwrap(), one);
    }

    #[test]
    fn no_text_can_panic(text in "\\PC{0,30}", near in "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?", zone in any_zone()) {
        for text in [text, near] {
            let _ = parse_instant(&text);
            let _ = resolve_local(&zone, &text);
            let _ = Zone::parse(&text);
        }
    }

    #[test]
    fn no_number_can_panic(millis: i64, more: i64) {
        let instant = Instant::from_unix_millis(millis).plus_millis(more);
        prop_assert!((Instant::MIN..=Instant::MAX).contains(&instant));
        prop_assert!(!instant.to_string().is_empty());
        let _ = instant.millis_since(Instant::from_unix_seconds(more));
    }
}
