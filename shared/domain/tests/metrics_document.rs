//! The tables of `docs/METRICS.md` are made from the table of names, the plan of readings and the
//! price list, and say what those say.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;

use vivesphere_domain::counters::Counter;
use vivesphere_domain::metrics::{METRICS, table};
use vivesphere_domain::post_metrics::OFFSETS;
use vivesphere_domain::x_spending::price;

/// Set, it has the test write the tables instead of comparing.
const WRITE: &str = "WRITE_METRICS_DOCUMENT";

fn names() -> String {
    let mut text = String::from("| name | kind | labels | |\n|---|---|---|---|\n");
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
        writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            labels.join(", "),
            metric.help
        )
        .unwrap();
    }
    text
}

fn buckets() -> String {
    let mut text = String::from("| histogram | bounds in seconds |\n|---|---|\n");
    for (metric, counter) in [
        (&table::REQUEST_DURATION, Counter::Requests),
        (&table::ATTEMPT_DURATION, Counter::Attempts),
    ] {
        let bounds = counter.bounds().iter();
        let bounds: Vec<String> = bounds.map(|b| (*b as f64 / 1e6).to_string()).collect();
        writeln!(text, "| `{}` | {} |", metric.name, bounds.join(", ")).unwrap();
    }
    text
}

fn plan() -> String {
    let ages = OFFSETS.map(|offset| match offset / 60_000 {
        minutes if minutes % 1440 == 0 => format!("{} d", minutes / 1440),
        minutes if minutes % 60 == 0 => format!("{} h", minutes / 60),
        minutes => format!("{minutes} min"),
    });
    format!("A post is read at the age of {}.\n", ages.join(", "))
}

fn prices() -> String {
    let mut text = String::from("| what | millionths of a dollar |\n|---|---:|\n");
    for (what, price) in [
        ("a post that is made", price::POST),
        (
            "a post that is made and holds a link",
            price::POST_WITH_LINK,
        ),
        ("a post that is read", price::POST_READ),
        ("an account that is read", price::USER_READ),
        ("the trends of a place", price::TRENDS),
    ] {
        writeln!(text, "| {what} | {price} |").unwrap();
    }
    text
}

/// The text with what is generated in the places that are marked for it.
fn filled(mut text: String) -> String {
    for (name, generated) in [
        ("names", names()),
        ("buckets", buckets()),
        ("plan", plan()),
        ("prices", prices()),
    ] {
        let begin = format!("<!-- begin {name} -->\n");
        let end = format!("<!-- end {name} -->");
        let from = text.find(&begin).unwrap() + begin.len();
        let to = text.find(&end).unwrap();
        text.replace_range(from..to, &generated);
    }
    text
}

#[test]
fn the_document_says_what_the_tables_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/METRICS.md");
    let found = std::fs::read_to_string(&file).unwrap();
    let wanted = filled(found.clone());
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, &wanted).unwrap();
        return;
    }
    assert_eq!(
        found, wanted,
        "docs/METRICS.md is out of date: run `{WRITE}=1 cargo test -p vivesphere-domain --test \
         metrics_document`"
    );
}
