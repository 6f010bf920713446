//! Reading a TOML document strictly: every key must be known, and every refusal says its line.
//!
//! Refusals are collected, so that one start names everything that is wrong.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use toml_edit::{Item, TableLike, Value};

/// One thing in a file that this host does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file as the user named it.
    pub file: String,
    /// Counted from one.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Everything in a file that this host does not accept, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals(pub Vec<Refusal>);

impl fmt::Display for Refusals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            refusal.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusals {}

/// A parsed document and what was refused in it so far.
pub(crate) struct Document {
    file: String,
    toml: toml_edit::Document<String>,
    refusals: RefCell<Vec<Refusal>>,
}

impl Document {
    /// Parses the text; `file` is how refusals call it.
    pub(crate) fn parse(file: &str, text: String) -> Result<Self, Refusals> {
        let before = text.clone();
        let toml = toml_edit::Document::parse(text).map_err(|error| {
            Refusals(vec![Refusal {
                file: file.to_owned(),
                line: line_at(&before, error.span().map_or(0, |span| span.start)),
                message: format!("not valid TOML: {}", error.message().trim()),
            }])
        })?;
        Ok(Self {
            file: file.to_owned(),
            toml,
            refusals: RefCell::default(),
        })
    }

    pub(crate) fn root(&self) -> Section<'_> {
        Section {
            document: self,
            path: String::new(),
            table: self.toml.as_table(),
            line: 1,
        }
    }

    pub(crate) fn refuse(&self, line: usize, message: impl Into<String>) {
        self.refusals.borrow_mut().push(Refusal {
            file: self.file.clone(),
            line,
            message: message.into(),
        });
    }

    /// The value, unless something was refused on the way to it.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Refusals> {
        let mut refusals = self.refusals.into_inner();
        if refusals.is_empty() {
            return Ok(value);
        }
        refusals.sort_by_key(|refusal| refusal.line);
        refusals.dedup();
        Err(Refusals(refusals))
    }

    fn line_of(&self, span: Option<Range<usize>>) -> Option<usize> {
        span.map(|span| line_at(self.toml.raw(), span.start))
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// A string with the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) line: usize,
}

/// A table of the document.
#[derive(Clone)]
pub(crate) struct Section<'a> {
    document: &'a Document,
    path: String,
    table: &'a dyn TableLike,
    pub(crate) line: usize,
}

/// One key of a table with what stands behind it.
pub(crate) struct Entry<'a> {
    document: &'a Document,
    pub(crate) path: String,
    pub(crate) key: &'a str,
    pub(crate) line: usize,
    item: Node<'a>,
}

/// A value, whether it stands behind a key or in an array.
#[derive(Clone, Copy)]
enum Node<'a> {
    Item(&'a Item),
    Value(&'a Value),
}

impl<'a> Section<'a> {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn refuse(&self, line: usize, message: impl Into<String>) {
        self.document.refuse(line, message);
    }

    /// Refuses every key that is not in `known`: with the reason in `unsupported` for keys
    /// that Spin knows and this host does not, else as unknown.
    pub(crate) fn keys(&self, known: &[&str], unsupported: &[(&str, &str)]) {
        for entry in self.entries() {
            if known.contains(&entry.key) {
                continue;
            }
            let reason = unsupported.iter().find(|(key, _)| *key == entry.key);
            let message = match (reason, near_miss(entry.key, known)) {
                (Some((_, reason)), _) => {
                    format!("`{}` is not supported by this host; {reason}", entry.path)
                }
                (None, Some(known)) => {
                    format!("unknown key `{}`; did you mean `{known}`?", entry.path)
                }
                (None, None) => format!(
                    "unknown key `{}`; known here: {}",
                    entry.path,
                    known.join(", ")
                ),
            };
            self.refuse(entry.line, message);
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry<'a>> {
        self.table
            .iter()
            .filter_map(|(key, _)| self.entry(key))
            .collect()
    }

    pub(crate) fn entry(&self, key: &str) -> Option<Entry<'a>> {
        let (found, item) = self.table.get_key_value(key)?;
        let line = self
            .document
            .line_of(found.span().or_else(|| item.span()))
            .unwrap_or(self.line);
        Some(Entry {
            document: self.document,
            path: if self.path.is_empty() {
                key.to_owned()
            } else {
                format!("{}.{key}", self.path)
            },
            key: found.get(),
            line,
            item: Node::Item(item),
        })
    }

    /// An entry that must be there.
    pub(crate) fn required(&self, key: &str) -> Option<Entry<'a>> {
        let entry = self.entry(key);
        if entry.is_none() {
            let place = if self.path.is_empty() {
                String::new()
            } else {
                format!(" in `{}`", self.path)
            };
            self.refuse(self.line, format!("`{key}` is missing{place}"));
        }
        entry
    }

    pub(crate) fn string(&self, key: &str) -> Option<Text> {
        self.entry(key)?.string()
    }

    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        let entry = self.entry(key)?;
        let found = match entry.item {
            Node::Item(item) => item.as_bool(),
            Node::Value(value) => value.as_bool(),
        };
        if found.is_none() {
            entry.wrong("true or false");
        }
        found
    }

    pub(crate) fn strings(&self, key: &str) -> Vec<Text> {
        self.entry(key).map_or_else(Vec::new, |entry| {
            entry.elements().iter().filter_map(Entry::string).collect()
        })
    }

    /// A table of strings.
    pub(crate) fn string_map(&self, key: &str) -> Vec<(String, Text)> {
        let Some(section) = self.section(key) else {
            return Vec::new();
        };
        section
            .entries()
            .iter()
            .filter_map(|entry| Some((entry.key.to_owned(), entry.string()?)))
            .collect()
    }

    pub(crate) fn section(&self, key: &str) -> Option<Section<'a>> {
        self.entry(key)?.section()
    }
}

impl<'a> Entry<'a> {
    pub(crate) fn refuse(&self, message: impl Into<String>) {
        self.document.refuse(self.line, message);
    }

    pub(crate) fn is_string(&self) -> bool {
        self.as_str().is_some()
    }

    fn as_str(&self) -> Option<&'a str> {
        match self.item {
            Node::Item(item) => item.as_str(),
            Node::Value(value) => value.as_str(),
        }
    }

    /// The integer behind the key, without refusing another type.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self.item {
            Node::Item(item) => item.as_integer(),
            Node::Value(value) => value.as_integer(),
        }
    }

    pub(crate) fn string(&self) -> Option<Text> {
        let found = self.as_str();
        if found.is_none() {
            self.wrong("a string");
        }
        Some(Text {
            value: found?.to_owned(),
            line: self.line,
        })
    }

    pub(crate) fn is_array(&self) -> bool {
        match self.item {
            Node::Item(item) => item.is_array() || item.is_array_of_tables(),
            Node::Value(value) => value.is_array(),
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        match self.item {
            Node::Item(item) => item.is_table_like(),
            Node::Value(value) => value.is_inline_table(),
        }
    }

    pub(crate) fn section(&self) -> Option<Section<'a>> {
        let table: Option<&'a dyn TableLike> = match self.item {
            Node::Item(item) => item.as_table_like(),
            Node::Value(value) => value.as_inline_table().map(|table| table as &dyn TableLike),
        };
        if table.is_none() {
            self.wrong("a table");
        }
        Some(Section {
            document: self.document,
            path: self.path.clone(),
            table: table?,
            line: self.line,
        })
    }

    /// The elements of an array.
    pub(crate) fn elements(&self) -> Vec<Entry<'a>> {
        let array = match self.item {
            Node::Item(item) => item.as_array(),
            Node::Value(value) => value.as_array(),
        };
        if let Some(array) = array {
            return array
                .iter()
                .map(|value| self.element(Node::Value(value), value.span()))
                .collect();
        }
        self.wrong("an array");
        Vec::new()
    }

    /// The tables of `[[…]]`, or of an array of inline tables.
    pub(crate) fn sections(&self) -> Vec<Section<'a>> {
        if let Node::Item(Item::ArrayOfTables(tables)) = self.item {
            return tables
                .iter()
                .map(|table| Section {
                    document: self.document,
                    path: self.path.clone(),
                    table,
                    line: self.document.line_of(table.span()).unwrap_or(self.line),
                })
                .collect();
        }
        self.elements().iter().filter_map(Entry::section).collect()
    }

    fn element(&self, item: Node<'a>, span: Option<Range<usize>>) -> Entry<'a> {
        Entry {
            document: self.document,
            path: self.path.clone(),
            key: self.key,
            line: self.document.line_of(span).unwrap_or(self.line),
            item,
        }
    }

    fn wrong(&self, expected: &str) {
        self.refuse(format!("`{}` must be {expected}", self.path));
    }
}

/// The known key that a mistyped one was probably meant to be.
pub(crate) fn near_miss<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(key, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}
