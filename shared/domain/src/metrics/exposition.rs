//! Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write as _;

use super::names::{Kind, Metric};

/// The format's media type.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text, metric by metric.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

impl Exposition {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
        }
    }

    /// Begins a metric: its samples follow.
    pub(super) fn begin(&mut self, metric: &Metric) {
        let (name, help, kind) = (metric.name, metric.help, metric.kind.as_str());
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample. Values of labels that are missing are empty, which Prometheus takes for absent.
    pub(super) fn sample(&mut self, metric: &Metric, values: &[&str], number: f64) {
        debug_assert!(metric.kind != Kind::Histogram);
        self.line(metric, "", values, None, number);
    }

    /// A histogram's samples: `buckets` holds how many fell into each, the last one into none of
    /// the bounds. In microseconds; they are shown in seconds.
    pub(super) fn histogram(
        &mut self,
        metric: &Metric,
        values: &[&str],
        bounds: &[u64],
        buckets: &[u64],
        microseconds: u64,
    ) {
        let mut count = 0;
        for (place, events) in buckets.iter().enumerate() {
            count += events;
            let bound = match bounds.get(place) {
                Some(bound) => (*bound as f64 / 1e6).to_string(),
                None => "+Inf".to_owned(),
            };
            self.line(metric, "_bucket", values, Some(&bound), count as f64);
        }
        self.line(metric, "_sum", values, None, microseconds as f64 / 1e6);
        self.line(metric, "_count", values, None, count as f64);
    }

    fn line(
        &mut self,
        metric: &Metric,
        suffix: &str,
        values: &[&str],
        bound: Option<&str>,
        number: f64,
    ) {
        self.text.push_str(metric.name);
        self.text.push_str(suffix);
        let labels = metric.labels.iter().copied().zip(values.iter().copied());
        let mut before = '{';
        for (label, value) in labels.chain(bound.map(|bound| ("le", bound))) {
            self.text.push(before);
            self.text.push_str(label);
            self.text.push_str("=\"");
            for character in value.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {number}");
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PLAIN: Metric = Metric {
        name: "a_total",
        kind: Kind::Counter,
        labels: &[],
        help: "Help",
    };
    static LABELLED: Metric = Metric {
        name: "b_seconds",
        kind: Kind::Histogram,
        labels: &["route"],
        help: "Help",
    };

    #[test]
    fn what_is_written_is_the_format() {
        let mut exposition = Exposition::default();
        exposition.begin(&PLAIN);
        exposition.sample(&PLAIN, &[], 1e15);
        exposition.begin(&LABELLED);
        exposition.histogram(
            &LABELLED,
            &["a\"b\\c\n"],
            &[1_000, 2_500_000],
            &[1, 0, 2],
            1_500,
        );
        let wanted = "# HELP a_total Help\n# TYPE a_total counter\na_total 1000000000000000\n\
            # HELP b_seconds Help\n# TYPE b_seconds histogram\n\
            b_seconds_bucket{route=\"a\\\"b\\\\c\\n\",le=\"0.001\"} 1\n\
            b_seconds_bucket{route=\"a\\\"b\\\\c\\n\",le=\"2.5\"} 1\n\
            b_seconds_bucket{route=\"a\\\"b\\\\c\\n\",le=\"+Inf\"} 3\n\
            b_seconds_sum{route=\"a\\\"b\\\\c\\n\"} 0.0015\n\
            b_seconds_count{route=\"a\\\"b\\\\c\\n\"} 3\n";
        assert_eq!(exposition.finish(), wanted);
    }
}
