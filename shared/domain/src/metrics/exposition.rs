//! Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::{Display, Write as _};

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
        self.line(metric, "", &labels(metric, values), None, number);
    }

    /// A histogram's samples: `buckets` holds how many fell into each, the last one into none of
    /// the bounds. In microseconds; they are shown in seconds. Most of the text is of these, so what
    /// its lines share is written once: the labels here, the bounds by [`bounds`].
    pub(super) fn histogram(
        &mut self,
        metric: &Metric,
        values: &[&str],
        bounds: &[String],
        buckets: &[u64],
        microseconds: u64,
    ) {
        let labels = labels(metric, values);
        let mut count = 0;
        for (place, events) in buckets.iter().enumerate() {
            count += events;
            let bound = bounds.get(place).map_or("+Inf", String::as_str);
            self.line(metric, "_bucket", &labels, Some(bound), count);
        }
        self.line(metric, "_sum", &labels, None, microseconds as f64 / 1e6);
        self.line(metric, "_count", &labels, None, count);
    }

    fn line(
        &mut self,
        metric: &Metric,
        suffix: &str,
        labels: &str,
        bound: Option<&str>,
        number: impl Display,
    ) {
        self.text.push_str(metric.name);
        self.text.push_str(suffix);
        let bounded = bound.map(|bound| ["le=\"", bound, "\""]);
        if !labels.is_empty() || bounded.is_some() {
            self.text.push('{');
            self.text.push_str(labels);
            if let Some(bounded) = bounded {
                self.text.push_str(if labels.is_empty() { "" } else { "," });
                bounded.iter().for_each(|piece| self.text.push_str(piece));
            }
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {number}");
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Bounds of buckets in microseconds, as a histogram's lines show them.
pub(super) fn bounds(microseconds: &[u64]) -> Vec<String> {
    let seconds = |bound: &u64| (*bound as f64 / 1e6).to_string();
    microseconds.iter().map(seconds).collect()
}

/// What stands between a line's braces.
fn labels(metric: &Metric, values: &[&str]) -> String {
    let mut text = String::new();
    for (label, value) in metric.labels.iter().zip(values) {
        text.push_str(if text.is_empty() { "" } else { "," });
        text.push_str(label);
        text.push_str("=\"");
        // Piece by piece: what has to be escaped is rare.
        let mut rest = *value;
        while let Some(at) = rest.find(['\\', '"', '\n']) {
            let (before, from) = rest.split_at(at);
            text.push_str(before);
            text.push_str(match from.as_bytes().first() {
                Some(b'\n') => "\\n",
                Some(b'"') => "\\\"",
                _ => "\\\\",
            });
            rest = from.get(1..).unwrap_or_default();
        }
        text.push_str(rest);
        text.push('"');
    }
    text
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
            &bounds(&[1_000, 2_500_000]),
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
