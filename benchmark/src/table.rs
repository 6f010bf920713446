//! The table that is printed: numbers, what is wanted of them, and whether they are.

use std::fmt;

/// What a number should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// It is there to be read.
    Nothing,
}

/// One number.
#[derive(Debug)]
struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    wanted: Wanted,
}

/// All numbers, and what could not be measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    missing: Vec<String>,
}

impl Table {
    /// Adds a number.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        wanted: Wanted,
    ) {
        let what = what.into();
        self.rows.push(Row {
            what,
            value,
            unit,
            wanted,
        });
    }

    /// Says that something could not be measured, and why.
    pub(crate) fn miss(&mut self, what: impl Into<String>) {
        self.missing.push(what.into());
    }
}

/// A number with as many digits as can be trusted, and its unit.
fn shown(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let number = format!("{value:.digits$}");
    match unit {
        "" => number,
        unit => format!("{number} {unit}"),
    }
}

impl Row {
    fn cells(&self) -> [String; 4] {
        let (wanted, met) = match self.wanted {
            Wanted::AtLeast(limit) => (
                format!("≥ {}", shown(limit, self.unit)),
                Some(self.value >= limit),
            ),
            Wanted::AtMost(limit) => (
                format!("≤ {}", shown(limit, self.unit)),
                Some(self.value <= limit),
            ),
            Wanted::Nothing => (String::new(), None),
        };
        let met = match met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        [
            self.what.clone(),
            shown(self.value, self.unit),
            wanted,
            met.to_owned(),
        ]
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["measured", "value", "wanted", "met"].map(str::to_owned);
        let rows: Vec<[String; 4]> = self.rows.iter().map(Row::cells).collect();
        let width = |column: usize| {
            rows.iter()
                .chain([&heads])
                .map(|cells| cells[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths = [width(0), width(1), width(2), width(3)];
        let line = |f: &mut fmt::Formatter<'_>, cells: &[String; 4]| {
            writeln!(
                f,
                "| {:<a$} | {:>b$} | {:>c$} | {:<d$} |",
                cells[0],
                cells[1],
                cells[2],
                cells[3],
                a = widths[0],
                b = widths[1],
                c = widths[2],
                d = widths[3],
            )
        };
        line(f, &heads)?;
        let rule = |column: usize| "-".repeat(widths[column]);
        writeln!(
            f,
            "|-{}-|-{}:|-{}:|-{}-|",
            rule(0),
            rule(1),
            rule(2),
            rule(3)
        )?;
        for cells in &rows {
            line(f, cells)?;
        }
        for missing in &self.missing {
            writeln!(f, "\nNot measured: {missing}")?;
        }
        Ok(())
    }
}
