//! What is shipped for Prometheus and Grafana asks for what is exported, and for nothing else.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;
use vivesphere_domain::metrics::{Kind, METRICS, Metric};
use vivesphere_tests::build::repository;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap()
}

/// The names that a query asks for, each with the labels that it is asked by. Whether the query is
/// one is promtool's matter.
fn asked(query: &str) -> Vec<(String, Vec<String>)> {
    let part_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut asked = Vec::new();
    let mut rest = query;
    while let Some(at) = rest.find("vivesphere_") {
        rest = &rest[at..];
        let end = rest.find(|letter| !part_of_name(letter));
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        let mut labels = Vec::new();
        rest = after;
        if let Some(matchers) = after.strip_prefix('{') {
            let (matchers, after) = matchers.split_once('}').unwrap();
            rest = after;
            for matcher in matchers.split("\",") {
                let end = matcher.find(|letter| !part_of_name(letter)).unwrap();
                labels.push(matcher[..end].to_owned());
            }
        }
        asked.push((name.to_owned(), labels));
    }
    asked
}

#[test]
fn names_and_labels_are_found_in_a_query() {
    let query = "sum(rate(vivesphere_a_total{x=~\"5..\",y!=\"z\"}[5m])) / on () vivesphere_b > 1";
    let found = asked(query);
    let labels = |labels: &[&str]| labels.iter().map(|l| (*l).to_owned()).collect();
    assert_eq!(
        found,
        [
            ("vivesphere_a_total".to_owned(), labels(&["x", "y"])),
            ("vivesphere_b".to_owned(), labels(&[])),
        ]
    );
}

fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().copied().find(|metric| match metric.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| name.strip_suffix(suffix) == Some(metric.name)),
        _ => metric.name == name,
    })
}

/// Holds each name and label of a query against the table; gives the names.
fn check(place: &str, query: &str) -> BTreeSet<&'static str> {
    let asked = asked(query);
    // `up` is what Prometheus itself says of whatever it scrapes.
    assert!(
        !asked.is_empty() || query.starts_with("up{"),
        "{place}: {query}"
    );
    let mut names = BTreeSet::new();
    for (name, labels) in asked {
        let metric = metric(&name).unwrap_or_else(|| panic!("{place}: nobody exports {name}"));
        for label in labels {
            let known = metric.labels.contains(&label.as_str());
            assert!(known, "{place}: {name} has no label {label}");
        }
        names.insert(metric.name);
    }
    names
}

/// The queries of the rules: `expr:` and what is indented below it. The file's form is promtool's
/// matter.
fn rules() -> Vec<(String, String)> {
    let text = read("deploy/prometheus/alerts.yml");
    let mut rules: Vec<(String, String)> = Vec::new();
    let mut below = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(name) = line.strip_prefix("- alert: ") {
            rules.push((name.to_owned(), String::new()));
        }
        if let Some(query) = line.strip_prefix("expr: ") {
            let rule = rules.last_mut().unwrap();
            match query {
                "|-" => below = Some(indent),
                query => query.clone_into(&mut rule.1),
            }
        } else if let Some(above) = below {
            if indent > above {
                let rule = rules.last_mut().unwrap();
                rule.1.push_str(line);
                rule.1.push('\n');
            } else {
                below = None;
            }
        }
    }
    rules
}

#[test]
fn every_alert_asks_for_what_is_exported() {
    let rules = rules();
    assert!(rules.len() >= 15, "{rules:?}");
    let names: BTreeSet<_> = rules.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), rules.len());
    for (name, query) in &rules {
        check(name, query);
    }
}

#[test]
fn the_dashboard_shows_everything_that_is_exported_and_nothing_else() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/vivesphere.json")).unwrap();
    let mut shown = BTreeSet::new();
    let mut queries = String::from("groups:\n- name: dashboard\n  rules:\n");
    let mut ids = BTreeSet::new();
    let mut places = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "{panel}");
        let title = panel["title"].as_str().unwrap();
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let query = target["expr"].as_str().unwrap();
            shown.extend(check(title, query));
            // With what Grafana puts into it; a text of JSON is one of YAML.
            let query = Value::from(query.replace("$__rate_interval", "5m"));
            writeln!(queries, "  - record: a:b:c\n    expr: {query}").unwrap();
            places += 1;
            writeln!(queries, "    labels:\n      place: \"{places}\"").unwrap();
        }
        let place = &panel["gridPos"];
        let end = place["x"].as_i64().unwrap() + place["w"].as_i64().unwrap();
        assert!(end <= 24, "{title}");
    }
    let all: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(
        shown, all,
        "what is exported and not shown, or the other way round"
    );
    // Whether each query is one.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), queries).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()]);
}

/// `tests/prometheus/promtool` ends with 3 where it cannot be had.
fn promtool(arguments: &[&str]) {
    let output = Command::new(repository().join("tests/prometheus/promtool"))
        .args(arguments)
        .current_dir(repository().join("deploy/prometheus"))
        .output()
        .unwrap();
    if output.status.code() == Some(3) {
        eprintln!("skipped: promtool cannot be installed here");
        return;
    }
    assert!(
        output.status.success(),
        "promtool {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn promtool_takes_the_rules_and_the_configuration_and_the_alerts_speak_when_they_should() {
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
    promtool(&["check", "config", "--syntax-only", "prometheus.yml"]);
    let configuration = read("deploy/prometheus/prometheus.yml");
    assert!(configuration.contains("metrics_path: /api/v1/metrics\n"));
}
