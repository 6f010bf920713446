//! The score of a recorded series of sightings, held against the formula written out.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a failed unwrap is the assertion"
)]

use std::collections::BTreeMap;

use vivesphere_feeds::momentum::{HalfLife, Strength};

const SERIES: &str = include_str!("fixtures/sightings.tsv");
const MINUTE: i64 = 60_000;
const HALF_LIFE_MINUTES: u32 = 60;

fn series() -> Vec<(i64, &'static str, f64)> {
    let lines = SERIES.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut parts = line.split('\t');
            let minute: i64 = parts.next().unwrap().parse().unwrap();
            let topic = parts.next().unwrap();
            (
                minute * MINUTE,
                topic,
                parts.next().unwrap().parse().unwrap(),
            )
        })
        .collect()
}

/// s² / (s + l), each rate a plain sum over all sightings until then.
fn written_out(topic: &str, now: i64) -> f64 {
    let half_life = f64::from(HALF_LIFE_MINUTES) / 60.0;
    let rate = |half_life: f64| {
        let left = series()
            .into_iter()
            .filter(|(at, of, _)| *of == topic && *at <= now);
        let sum: f64 = left
            .map(|(at, _, weight)| weight * 0.5_f64.powf((now - at) as f64 / 3.6e6 / half_life))
            .sum();
        sum * 2.0_f64.ln() / half_life
    };
    let (short, long) = (rate(half_life), rate(half_life * 8.0));
    let momentum = if short > 0.0 {
        short * short / (short + long)
    } else {
        0.0
    };
    if momentum < 0.001 { 0.0 } else { momentum }
}

#[test]
fn the_score_is_the_formula_at_every_quarter_of_an_hour() {
    let half_life = HalfLife::of_minutes(HALF_LIFE_MINUTES);
    let mut strengths: BTreeMap<&str, Strength> = BTreeMap::new();
    let mut sightings = series().into_iter().peekable();
    let mut ranks = BTreeMap::new();
    for quarter in 0..300 {
        let now = quarter * 15 * MINUTE;
        while let Some((at, topic, weight)) = sightings.next_if(|(at, ..)| *at <= now) {
            let strength = strengths.entry(topic).or_default();
            *strength = strength.seen(half_life, weight, at);
        }
        let mut scores = Vec::new();
        for (topic, strength) in &strengths {
            let (score, wanted) = (strength.momentum(half_life, now), written_out(topic, now));
            assert!(
                (score - wanted).abs() < 1e-6,
                "{topic} at {quarter}: {score} {wanted}"
            );
            scores.push((score, *topic));
        }
        scores.sort_by(|one, other| other.0.total_cmp(&one.0));
        ranks.insert(quarter, scores);
    }
    let first = |hour: i64| ranks[&(hour * 4)][0].1;
    // What everybody speaks of at the start, in the morning, in the hour of the burst; and in the
    // quiet the one that goes on.
    assert_eq!(first(5), "faded");
    assert_eq!(first(10), "daily");
    assert_eq!(first(50), "burst");
    assert_eq!(first(47), "steady");
    let faded = ranks[&280]
        .iter()
        .find(|(_, topic)| *topic == "faded")
        .unwrap();
    assert_eq!(faded.0, 0.0);
}
