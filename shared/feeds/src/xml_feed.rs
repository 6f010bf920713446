//! RSS 0.9x, 1.0 and 2.0, and Atom 1.0, in one pass. No element is looked for by its place: a feed
//! is a list of `item` or `entry`, and each child of one is a field or is not.
//!
//! A document type is not read, so no document defines entities: what is not XML's or HTML's own is
//! left out. Nothing is kept but the fields of one item at a time, each up to its limit.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use url::Url;

use crate::date;
use crate::document::{Document, Item, News, ReadError};
use crate::feed::{Draft, Written, add, language};
use crate::limits::{
    DEPTH, Deadline, ELEMENTS, ELEMENTS_AT_ONCE, FIELD_BYTES, ITEMS, NEWS, TITLE_CHARACTERS,
};
use crate::text::{floor, plain, references, resolve};
use crate::web_address::canonical;

/// Reads a feed of one of these kinds.
pub(crate) fn read(text: &str, base: &Url, deadline: Deadline) -> Result<Document, ReadError> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    // What people publish is not always well-formed, and its items can be read all the same.
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut state = State::new(base);
    let mut events = 0_usize;
    let ended = loop {
        events += 1;
        if events.is_multiple_of(ELEMENTS_AT_ONCE) && deadline.has_passed() {
            break Err(ReadError::TooSlow);
        }
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                if let Err(error) = state.start(&start) {
                    break Err(error);
                }
            }
            Ok(Event::Empty(start)) => {
                if let Err(error) = state.start(&start) {
                    break Err(error);
                }
                state.end();
            }
            Ok(Event::End(_)) => state.end(),
            Ok(Event::Text(text)) => state.text(&text),
            Ok(Event::CData(text)) => state.text(&text),
            Ok(Event::GeneralRef(name)) => {
                if let Some(letters) = resolve(&name) {
                    state.text(&letters);
                }
            }
            Ok(Event::Eof) => break Ok(()),
            Ok(Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_)) => {}
            Err(_) => break Err(ReadError::Malformed),
        }
        if state.document.items.len() >= ITEMS {
            break Ok(());
        }
    };
    state.finish(ended)
}

struct State<'a> {
    base: &'a Url,
    document: Document,
    /// The names of what is open, from the root in.
    open: Vec<String>,
    elements: usize,
    /// How much was open when the item began; it is there while there is an item.
    item_at: Option<usize>,
    is_atom: bool,
    draft: Draft,
    trend: Trend,
    field: Option<Field>,
    recognised: bool,
}

/// What Google Trends adds to an item (`ht:`).
#[derive(Default)]
struct Trend {
    traffic: String,
    news: Vec<News>,
}

/// An element whose text is wanted.
struct Field {
    /// How much was open when it began.
    at: usize,
    name: String,
    text: String,
    /// An Atom category or link holds its value in an attribute.
    attribute: Option<String>,
    /// Atom's texts are no markup unless they say so (RFC 4287, section 3.1.1).
    is_text: bool,
}

impl<'a> State<'a> {
    fn new(base: &'a Url) -> Self {
        Self {
            base,
            document: Document::default(),
            open: Vec::new(),
            elements: 0,
            item_at: None,
            is_atom: false,
            draft: Draft::default(),
            trend: Trend::default(),
            field: None,
            recognised: false,
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), ReadError> {
        self.elements += 1;
        if self.open.len() >= DEPTH {
            return Err(ReadError::TooDeep);
        }
        if self.elements > ELEMENTS {
            return Err(ReadError::TooManyElements);
        }
        let name = start.name();
        let name: &str = name.as_ref();
        let name = name.get(..floor(name, 64)).unwrap_or_default();
        // Atom and RSS with a prefix of their own are Atom and RSS.
        let local = match name.split_once(':') {
            Some(("atom" | "a10" | "rss" | "rdf", local)) => local,
            _ => name,
        };
        let depth = self.open.len();
        self.open.push(local.to_owned());
        if depth == 0 {
            self.root(local, start);
        }
        if self.field.is_some() {
            // Markup inside of a field: its elements part words.
            self.text(" ");
            return Ok(());
        }
        match self.item_at {
            None if matches!(local, "item" | "entry") && self.recognised => {
                self.item_at = Some(depth);
                self.draft = Draft {
                    language: attribute(start, "xml:lang"),
                    id: attribute(start, "rdf:about").unwrap_or_default(),
                    ..Draft::default()
                };
                self.trend = Trend::default();
            }
            Some(item_at) if depth == item_at + 1 => self.field_of_item(local, start),
            Some(item_at)
                if depth == item_at + 2
                    && self
                        .open
                        .get(item_at + 1)
                        .is_some_and(|name| name == "ht:news_item") =>
            {
                self.begin(local, None);
            }
            None if depth <= 2 && matches!(local, "title" | "language" | "ttl" | "dc:language") => {
                self.begin(local, None);
            }
            _ => {}
        }
        Ok(())
    }

    fn root(&mut self, local: &str, start: &BytesStart<'_>) {
        self.recognised = matches!(local, "rss" | "RDF" | "feed" | "channel");
        self.is_atom = local == "feed";
        self.document.language = attribute(start, "xml:lang").as_deref().and_then(language);
    }

    fn field_of_item(&mut self, local: &str, start: &BytesStart<'_>) {
        match local {
            "link" => {
                let rel = attribute(start, "rel");
                let href = attribute(start, "href");
                // Of Atom's links the one to the article; RSS has it as text.
                if href.is_none() || rel.is_none_or(|rel| rel == "alternate") {
                    self.begin(local, href);
                }
            }
            "category" => self.begin(local, attribute(start, "term")),
            "ht:news_item" if self.trend.news.len() < NEWS => {
                self.trend.news.push(News::default());
            }
            "title" | "summary" | "content" if self.is_atom => {
                let kind = attribute(start, "type");
                self.begin(local, None);
                if let Some(field) = &mut self.field {
                    field.is_text = kind.is_none_or(|kind| kind == "text" || kind == "text/plain");
                }
            }
            "title" | "guid" | "id" | "description" | "summary" | "content" | "content:encoded"
            | "pubDate" | "published" | "updated" | "dc:date" | "date" | "dc:language"
            | "language" | "dc:subject" | "ht:approx_traffic" => self.begin(local, None),
            _ => {}
        }
    }

    fn begin(&mut self, name: &str, attribute: Option<String>) {
        self.field = Some(Field {
            at: self.open.len(),
            name: name.to_owned(),
            text: String::new(),
            attribute,
            is_text: false,
        });
    }

    fn text(&mut self, text: &str) {
        if let Some(field) = &mut self.field {
            let room = FIELD_BYTES.saturating_sub(field.text.len());
            let end = floor(text, room);
            field.text.push_str(text.get(..end).unwrap_or_default());
        }
    }

    fn end(&mut self) {
        if self
            .field
            .as_ref()
            .is_some_and(|field| field.at == self.open.len())
            && let Some(field) = self.field.take()
        {
            self.take(field);
        }
        self.open.pop();
        if self.item_at == Some(self.open.len()) {
            self.item_at = None;
            self.finish_item();
        }
    }

    fn take(&mut self, field: Field) {
        let text = field.attribute.unwrap_or(field.text);
        if self.item_at.is_none() {
            return self.take_of_channel(&field.name, &text);
        }
        let draft = &mut self.draft;
        let first = |place: &mut String, text: String| {
            if place.is_empty() {
                *place = text;
            }
        };
        let written = |place: &mut Written, text: String| {
            if place.is_empty() {
                *place = match field.is_text {
                    true => Written::Text(text),
                    false => Written::Markup(text),
                };
            }
        };
        match field.name.as_str() {
            "title" => written(&mut draft.title, text),
            "link" => first(&mut draft.link, text),
            // RDF names the entry by an attribute already.
            "guid" | "id" => draft.id = text,
            "description" | "summary" => written(&mut draft.summary, text),
            "content" | "content:encoded" => written(&mut draft.content, text),
            "category" | "dc:subject" => first(&mut draft.category, text),
            "dc:language" | "language" => draft.language = Some(text),
            "pubDate" | "published" | "dc:date" | "date" => draft.published_at = date::parse(&text),
            "updated" => draft.published_at = draft.published_at.or_else(|| date::parse(&text)),
            "ht:approx_traffic" => self.trend.traffic = text,
            name => self.take_of_news(name, &text),
        }
    }

    fn take_of_channel(&mut self, name: &str, text: &str) {
        let document = &mut self.document;
        match name {
            "title" if document.title.is_none() => {
                document.title = Some(plain(text, TITLE_CHARACTERS));
            }
            "language" | "dc:language" => {
                document.language = language(text).or(document.language.take());
            }
            "ttl" => document.minutes_between_fetches = text.trim().parse().ok(),
            _ => {}
        }
    }

    fn take_of_news(&mut self, name: &str, text: &str) {
        let Some(news) = self.trend.news.last_mut() else {
            return;
        };
        match name {
            "ht:news_item_title" => news.title = plain(text, TITLE_CHARACTERS),
            "ht:news_item_url" => news.url = canonical(text, None).map(String::from),
            "ht:news_item_source" => news.source = Some(plain(text, 100)),
            _ => {}
        }
    }

    fn finish_item(&mut self) {
        let trend = std::mem::take(&mut self.trend);
        let mut draft = std::mem::take(&mut self.draft);
        let is_trend = !trend.traffic.is_empty() || !trend.news.is_empty();
        if is_trend {
            self.document.ranking = true;
            // The link is the list's own, the same for every item of every day.
            draft.link.clear();
        }
        // What an article's markup escapes twice is read once more by `plain`.
        draft.link = references(&draft.link);
        let published_at = draft.published_at;
        let mut item: Option<Item> = draft.into_item(self.base);
        if let Some(item) = item.as_mut().filter(|_| is_trend) {
            let day = published_at.unwrap_or_default().div_euclid(86_400_000);
            item.key = format!("{} {day}", item.title.to_lowercase());
            item.volume = approximate(&trend.traffic);
            item.news = trend.news;
            item.news.retain(|news| !news.title.is_empty());
            item.url = item.news.first().and_then(|news| news.url.clone());
        }
        add(&mut self.document, item);
    }

    fn finish(mut self, ended: Result<(), ReadError>) -> Result<Document, ReadError> {
        match ended {
            Ok(()) if !self.recognised => Err(ReadError::NotAFeed),
            Ok(()) => {
                // A document that ends inside of an element broke off.
                let open = !self.open.is_empty() && self.document.items.len() < ITEMS;
                self.document.cut_short = open.then_some(ReadError::Malformed);
                if open && self.document.items.is_empty() {
                    return Err(ReadError::Malformed);
                }
                Ok(self.document)
            }
            Err(error) if self.document.items.is_empty() => Err(error),
            Err(error) => {
                self.document.cut_short = Some(error);
                Ok(self.document)
            }
        }
    }
}

/// An attribute's value, at most as long as a field may be.
fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = start.attributes();
    // Looking for doubles would compare each with each.
    let found = attributes
        .with_checks(false)
        .take(64)
        .flatten()
        .find(|attribute| attribute.key.as_ref() == name)?;
    let value: &str = &found.value;
    let value = references(value.get(..floor(value, FIELD_BYTES)).unwrap_or_default());
    (!value.trim().is_empty()).then(|| value.trim().to_owned())
}

/// `500+`, `2K+`, `50,000+`, `1.5M` as a number.
fn approximate(text: &str) -> Option<u64> {
    let text = text
        .trim()
        .trim_end_matches('+')
        .replace([',', ' ', '\u{a0}'], "");
    let (digits, factor) = match text.chars().last()? {
        'K' | 'k' => (text.get(..text.len() - 1)?, 1e3),
        'M' | 'm' => (text.get(..text.len() - 1)?, 1e6),
        'B' | 'b' => (text.get(..text.len() - 1)?, 1e9),
        _ => (text.as_str(), 1.0),
    };
    let number: f64 = digits.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * factor).min(1e15) as u64)
}

#[cfg(test)]
#[path = "xml_feed_tests.rs"]
mod tests;
