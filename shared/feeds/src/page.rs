//! A page's list, by CSS selectors. Read as a stream (lol_html), so there is no tree to fill memory
//! with, and the reader's own memory, which grows with how deep elements nest, has a limit.

use std::cell::RefCell;
use std::rc::Rc;

use lol_html::errors::RewritingError;
use lol_html::html_content::{Element, TextChunk};
use lol_html::{ElementContentHandlers, HtmlRewriter, MemorySettings, Selector, Settings};
use url::Url;

use crate::decode;
use crate::document::{Document, ReadError};
use crate::feed::{Draft, add};
use crate::limits::{
    DOCUMENT_BYTES, Deadline, ELEMENTS_AT_ONCE, FIELD_BYTES, HTML_MEMORY, ITEMS, PAGE_COMBINATORS,
    PAGE_DEPTH, PAGE_ELEMENTS,
};
use crate::text::{floor, references};

/// Characters of one selector.
const SELECTOR_CHARACTERS: usize = 200;

/// Where in a page its items are. Each is one compound or complex selector of CSS, without a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selectors {
    /// Each item's element.
    pub item: String,
    /// Inside of the item, its title; the item's own text when there is none.
    pub title: Option<String>,
    /// Inside of the item, the element whose `href` leads to the article; the item's first link
    /// when there is none.
    pub link: Option<String>,
    /// Inside of the item, an excerpt.
    pub summary: Option<String>,
}

/// A selector that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    /// `item`, `title`, `link` or `summary`.
    pub field: &'static str,
    /// Completes "it …".
    pub detail: String,
}

impl Selectors {
    /// Whether each of them is a selector that is understood.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), SelectorError> {
        self.parsed().map(drop)
    }

    fn parsed(&self) -> Result<Parsed, SelectorError> {
        let inner = |field, selector: &Option<String>| {
            selector
                .as_deref()
                .map(|selector| {
                    // Alone first: what stands behind another could complete it.
                    parse(field, selector)?;
                    parse(field, &format!("{} {selector}", self.item))
                })
                .transpose()
        };
        let item = parse("item", &self.item)?;
        let link = match inner("link", &self.link)? {
            Some(link) => link,
            None => parse("item", &format!("{} a[href]", self.item))?,
        };
        Ok(Parsed {
            item,
            title: inner("title", &self.title)?,
            link,
            summary: inner("summary", &self.summary)?,
        })
    }
}

struct Parsed {
    item: Selector,
    title: Option<Selector>,
    link: Selector,
    summary: Option<Selector>,
}

fn parse(field: &'static str, selector: &str) -> Result<Selector, SelectorError> {
    let wrong = |detail: &str| SelectorError {
        field,
        detail: detail.to_owned(),
    };
    if selector.trim().is_empty() {
        return Err(wrong("must not be empty"));
    }
    if selector.chars().count() > 2 * SELECTOR_CHARACTERS {
        return Err(wrong("must have at most 200 characters"));
    }
    if selector.contains(',') {
        return Err(wrong("must be one selector, not a list"));
    }
    if combinators(selector) > PAGE_COMBINATORS {
        return Err(wrong(
            "must have at most two descendant combinators, the item's included",
        ));
    }
    selector
        .parse()
        .map_err(|error: lol_html::errors::SelectorError| {
            let error = error.to_string();
            wrong(&format!(
                "must be a selector that is understood: {}",
                error.trim_end_matches('.')
            ))
        })
}

type Shared = Rc<RefCell<Found>>;
type Handler = Box<dyn std::error::Error + Send + Sync>;

struct Found {
    drafts: Vec<Draft>,
    elements: usize,
    /// How often something was found, text included.
    times: usize,
    deadline: Deadline,
}

impl Found {
    /// Gives up when the time is over; looked at only where something is found, since what a
    /// selector costs elsewhere is bounded by [`PAGE_ELEMENTS`] and its fellows.
    fn go_on(&mut self) -> Result<(), Handler> {
        self.times += 1;
        if self.times.is_multiple_of(ELEMENTS_AT_ONCE) && self.deadline.has_passed() {
            return Err(ReadError::TooSlow.into());
        }
        Ok(())
    }
}

/// Reads a page. `base` is where it was fetched, `charset` what the answer's header says.
///
/// # Errors
/// [`ReadError`]; also when a selector cannot be used, which [`Selectors::check`] tells earlier.
pub fn page(
    bytes: &[u8],
    base: &Url,
    charset: Option<&str>,
    selectors: &Selectors,
    deadline: Deadline,
) -> Result<Document, ReadError> {
    if bytes.len() > DOCUMENT_BYTES {
        return Err(ReadError::TooLong);
    }
    let parsed = selectors.parsed().map_err(|_| ReadError::NothingSelected)?;
    let text = decode::text(bytes, charset, decode::Kind::Page);
    within_limits(&text)?;
    let found = Shared::new(RefCell::new(Found {
        drafts: Vec::new(),
        elements: 0,
        times: 0,
        deadline,
    }));
    let read = rewrite(&text, &parsed, &found);
    let drafts = std::mem::take(&mut found.borrow_mut().drafts);
    let mut document = Document::default();
    for mut draft in drafts {
        draft.link = references(&draft.link);
        add(&mut document, draft.into_item(base));
    }
    match read {
        Ok(()) if document.items.is_empty() => Err(ReadError::NothingSelected),
        Ok(()) => Ok(document),
        Err(error) if document.items.is_empty() => Err(error),
        Err(error) => {
            document.cut_short = Some(error);
            Ok(document)
        }
    }
}

/// Elements that have no end.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Counts what begins and ends, as if every element had its end.
fn within_limits(text: &str) -> Result<(), ReadError> {
    let (mut elements, mut depth) = (0_usize, 0_usize);
    for piece in text.split('<').skip(1) {
        if piece.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if piece.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            elements += 1;
            let end = piece
                .find(|letter: char| !letter.is_ascii_alphanumeric())
                .unwrap_or(piece.len());
            let name = piece.get(..end).unwrap_or_default();
            if !VOID.iter().any(|void| void.eq_ignore_ascii_case(name)) {
                depth += 1;
            }
        }
        if elements > PAGE_ELEMENTS {
            return Err(ReadError::TooManyElements);
        }
        if depth > PAGE_DEPTH {
            return Err(ReadError::TooDeep);
        }
    }
    Ok(())
}

/// The descendant combinators of a selector: blanks that are not beside a `>`.
fn combinators(selector: &str) -> usize {
    let apart = selector.replace('>', " > ");
    let parts: Vec<&str> = apart.split_whitespace().collect();
    parts.windows(2).filter(|pair| !pair.contains(&">")).count()
}

fn rewrite(text: &str, parsed: &Parsed, found: &Shared) -> Result<(), ReadError> {
    let mut handlers = Vec::new();
    let begins = found.clone();
    handlers.push((
        std::borrow::Cow::Borrowed(&parsed.item),
        ElementContentHandlers::default()
            .element(move |element: &mut Element<'_, '_>| begin(&begins, element)),
    ));
    let linked = found.clone();
    handlers.push((
        std::borrow::Cow::Borrowed(&parsed.link),
        ElementContentHandlers::default().element(move |element: &mut Element<'_, '_>| {
            if let (Some(draft), Some(href)) = (
                linked.borrow_mut().drafts.last_mut(),
                element.get_attribute("href"),
            ) && draft.link.is_empty()
            {
                draft.link = href;
            }
            Ok::<(), Handler>(())
        }),
    ));
    let title = parsed.title.as_ref().unwrap_or(&parsed.item);
    handlers.push((
        std::borrow::Cow::Borrowed(title),
        texts(found, |draft| draft.title.as_mut()),
    ));
    if let Some(summary) = &parsed.summary {
        handlers.push((
            std::borrow::Cow::Borrowed(summary),
            texts(found, |draft| draft.summary.as_mut()),
        ));
    }
    let settings = Settings {
        element_content_handlers: handlers,
        memory_settings: MemorySettings {
            max_allowed_memory_usage: HTML_MEMORY,
            ..MemorySettings::new()
        },
        strict: false,
        ..Settings::new()
    };
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    // In one piece: what begins in one and ends in another would have to be kept.
    rewriter
        .write(text.as_bytes())
        .and_then(|()| rewriter.end())
        .map_err(|error| match error {
            RewritingError::MemoryLimitExceeded(_) => ReadError::TooDeep,
            RewritingError::ContentHandlerError(_) => ReadError::TooSlow,
            RewritingError::ParsingAmbiguity(_) => ReadError::Malformed,
        })
}

fn begin(found: &Shared, element: &Element<'_, '_>) -> Result<(), Handler> {
    let mut found = found.borrow_mut();
    found.go_on()?;
    found.elements += 1;
    // One that is not kept still ends the one before.
    if found.drafts.len() <= ITEMS {
        found.drafts.push(Draft {
            link: element.get_attribute("href").unwrap_or_default(),
            ..Draft::default()
        });
    }
    Ok(())
}

fn texts(
    found: &Shared,
    place: fn(&mut Draft) -> &mut String,
) -> ElementContentHandlers<'static, lol_html::LocalHandlerTypes> {
    let found = found.clone();
    ElementContentHandlers::default().text(move |chunk: &mut TextChunk<'_>| {
        let mut found = found.borrow_mut();
        found.go_on()?;
        let full = found.elements > ITEMS;
        if let Some(draft) = found.drafts.last_mut().filter(|_| !full) {
            let text = place(draft);
            let end = floor(chunk.as_str(), FIELD_BYTES.saturating_sub(text.len()));
            // Markup between two pieces parts words no more than the page shows it to.
            text.push_str(chunk.as_str().get(..end).unwrap_or_default());
            if chunk.last_in_text_node() {
                text.push(' ');
            }
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
