//! What a source is made of, and what is refused.

use serde::{Deserialize, Serialize};
use url::Url;
use vivesphere_feeds::address;
use vivesphere_feeds::limits::ADDRESS_CHARACTERS;
use vivesphere_feeds::{Selectors, web_address};

use crate::personas::Language;
use crate::{Error, FieldError, Instant};

/// What kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// X's trends of a place, through its API.
    XTrends,
    /// RSS, Atom or JSON Feed.
    Feed,
    /// A list of Hacker News, through its API.
    HackerNews,
    /// A page of the web, with permission.
    Page,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::XTrends, Self::Feed, Self::HackerNews, Self::Page];

    /// Its name in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XTrends => "x_trends",
            Self::Feed => "feed",
            Self::HackerNews => "hacker_news",
            Self::Page => "page",
        }
    }

    /// Reads [`Kind::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A list of Hacker News (<https://github.com/HackerNews/API>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HackerNewsList {
    /// The front page.
    Top,
    /// The newest.
    New,
    /// The best of some days.
    Best,
    /// "Ask HN".
    Ask,
    /// "Show HN".
    Show,
    /// Jobs.
    Job,
}

impl HackerNewsList {
    const ALL: [Self; 6] = [
        Self::Top,
        Self::New,
        Self::Best,
        Self::Ask,
        Self::Show,
        Self::Job,
    ];

    /// Its name here.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Top => "top",
            Self::New => "new",
            Self::Best => "best",
            Self::Ask => "ask",
            Self::Show => "show",
            Self::Job => "job",
        }
    }
}

/// Where in a page its items are, as CSS selectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSelectors {
    /// Each item's element.
    pub item: String,
    /// Inside of it, the title.
    pub title: Option<String>,
    /// Inside of it, the element with the address.
    pub link: Option<String>,
    /// Inside of it, an excerpt.
    pub summary: Option<String>,
}

impl PageSelectors {
    /// As the reader of pages takes them.
    #[must_use]
    pub fn selectors(&self) -> Selectors {
        Selectors {
            item: self.item.clone(),
            title: self.title.clone(),
            link: self.link.clone(),
            summary: self.summary.clone(),
        }
    }
}

/// Who allowed that a page is read by a machine. Without it no page is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagePermission {
    /// A person or an office.
    pub granted_by: String,
    /// Unix milliseconds.
    pub granted_at: i64,
    /// Where that is written: a letter, a contract, the terms' address.
    pub reference: String,
}

/// What a source is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// X's trends.
    XTrends {
        /// Yahoo's id of a place; 1 is the world.
        woeid: i64,
    },
    /// A feed.
    Feed {
        /// Where it is.
        url: String,
    },
    /// Hacker News.
    HackerNews {
        /// Which list.
        list: HackerNewsList,
    },
    /// A page.
    Page {
        /// Where it is.
        url: String,
        /// Where in it.
        selectors: PageSelectors,
        /// Who allowed it.
        permission: PagePermission,
    },
}

impl Target {
    /// What kind it is of.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::XTrends { .. } => Kind::XTrends,
            Self::Feed { .. } => Kind::Feed,
            Self::HackerNews { .. } => Kind::HackerNews,
            Self::Page { .. } => Kind::Page,
        }
    }

    /// What two sources of one target have in common.
    pub(super) fn key(&self) -> String {
        let kind = self.kind().as_str();
        match self {
            Self::XTrends { woeid } => format!("{kind} {woeid}"),
            Self::HackerNews { list } => format!("{kind} {}", list.as_str()),
            Self::Feed { url } | Self::Page { url, .. } => {
                let url = Url::parse(url).map(|url| web_address::url_key(&url));
                format!("{kind} {}", url.unwrap_or_default())
            }
        }
    }
}

/// A source as somebody describes it, each field as it was sent.
#[derive(Debug, Clone, Default)]
pub struct SourceFields {
    /// For people, 1 to 100 characters.
    pub name: String,
    /// [`Kind::as_str`].
    pub kind: String,
    /// Of `x_trends`.
    pub woeid: Option<i64>,
    /// Of `hacker_news`.
    pub list: Option<String>,
    /// Of `feed` and `page`.
    pub url: Option<String>,
    /// Of `page`.
    pub selectors: Option<PageSelectors>,
    /// Of `page`.
    pub permission: Option<PagePermission>,
    /// BCP 47.
    pub language: Option<String>,
    /// 1 to 64 characters.
    pub category: Option<String>,
    /// 0.1 to 10; 1 when left out.
    pub weight: Option<f64>,
    /// 60 to 86,400; the setting when left out.
    pub interval_seconds: Option<i64>,
    /// Whether it is fetched.
    pub enabled: bool,
}

/// What of a source changes. `None` leaves a field, `Some(None)` takes it away.
#[derive(Debug, Clone, Default)]
pub struct SourceChange {
    /// The name.
    pub name: Option<String>,
    /// The address of a feed or a page.
    pub url: Option<String>,
    /// A page's selectors.
    pub selectors: Option<PageSelectors>,
    /// A page's permission.
    pub permission: Option<PagePermission>,
    /// The language.
    pub language: Option<Option<String>>,
    /// The category.
    pub category: Option<Option<String>>,
    /// The weight.
    pub weight: Option<f64>,
    /// The interval.
    pub interval_seconds: Option<Option<i64>>,
    /// Whether it is fetched.
    pub enabled: Option<bool>,
}

/// Checked fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) target: Target,
    pub(super) language: Option<String>,
    pub(super) category: Option<String>,
    pub(super) weight: f64,
    pub(super) interval_seconds: Option<i64>,
    pub(super) enabled: bool,
}

impl SourceFields {
    pub(super) fn with(mut self, change: SourceChange) -> Self {
        let set = |field: &mut Option<String>, value: Option<Option<String>>| {
            if let Some(value) = value {
                *field = value;
            }
        };
        self.name = change.name.unwrap_or(self.name);
        self.url = change.url.or(self.url);
        self.selectors = change.selectors.or(self.selectors);
        self.permission = change.permission.or(self.permission);
        set(&mut self.language, change.language);
        set(&mut self.category, change.category);
        self.weight = change.weight.or(self.weight);
        self.interval_seconds = change.interval_seconds.unwrap_or(self.interval_seconds);
        self.enabled = change.enabled.unwrap_or(self.enabled);
        self
    }

    pub(super) fn checked(self, allow_private: bool) -> Result<Checked, Error> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, detail: &str| {
            errors.push(FieldError {
                pointer: pointer.to_owned(),
                detail: detail.to_owned(),
            });
        };
        let name = line(&self.name, 100);
        if name.is_none() {
            wrong("/name", "must have 1 to 100 characters on one line");
        }
        let category = self.category.as_deref().map(|text| line(text, 64));
        if category == Some(None) {
            wrong("/category", "must have 1 to 64 characters on one line");
        }
        let mut language = None;
        if let Some(text) = &self.language {
            match Language::parse(text) {
                Ok(parsed) => language = Some(parsed.as_str().to_owned()),
                Err(error) => wrong("/language", &error.to_string()),
            }
        }
        let weight = self.weight.unwrap_or(1.0);
        if !(0.1..=10.0).contains(&weight) {
            wrong("/weight", "must be 0.1 to 10");
        }
        if self
            .interval_seconds
            .is_some_and(|seconds| !(60..=86_400).contains(&seconds))
        {
            wrong("/interval_seconds", "must be 60 to 86400");
        }
        let target = self.target(allow_private, &mut wrong);
        match (name, target) {
            (Some(name), Some(target)) if errors.is_empty() => Ok(Checked {
                name,
                target,
                language,
                category: category.flatten(),
                weight,
                interval_seconds: self.interval_seconds,
                enabled: self.enabled,
            }),
            _ => Err(Error::Invalid(errors)),
        }
    }

    fn target(&self, allow_private: bool, wrong: &mut impl FnMut(&str, &str)) -> Option<Target> {
        let Some(kind) = Kind::parse(&self.kind) else {
            wrong("/kind", "must be x_trends, feed, hacker_news or page");
            return None;
        };
        for (pointer, there, kinds) in [
            ("/woeid", self.woeid.is_some(), &[Kind::XTrends][..]),
            ("/list", self.list.is_some(), &[Kind::HackerNews]),
            ("/url", self.url.is_some(), &[Kind::Feed, Kind::Page]),
            ("/selectors", self.selectors.is_some(), &[Kind::Page]),
            ("/permission", self.permission.is_some(), &[Kind::Page]),
        ] {
            match (there, kinds.contains(&kind)) {
                (true, false) => wrong(pointer, "is no field of this kind of source"),
                (false, true) if pointer == "/permission" => wrong(
                    pointer,
                    "must say who allowed it, when, and where that is written \
                     (rule page_needs_permission)",
                ),
                (false, true) => wrong(pointer, "is missing"),
                _ => {}
            }
        }
        match kind {
            Kind::XTrends => {
                let woeid = self.woeid?;
                if !(1..=999_999_999).contains(&woeid) {
                    wrong("/woeid", "must be a place's id, such as 1 for the world");
                }
                Some(Target::XTrends { woeid })
            }
            Kind::HackerNews => {
                let list = self.list.as_deref()?;
                let found = HackerNewsList::ALL
                    .into_iter()
                    .find(|known| known.as_str() == list);
                if found.is_none() {
                    wrong("/list", "must be top, new, best, ask, show or job");
                }
                Some(Target::HackerNews { list: found? })
            }
            Kind::Feed => Some(Target::Feed {
                url: self.address(allow_private, wrong)?,
            }),
            Kind::Page => {
                let url = self.address(allow_private, wrong);
                let selectors = self.selectors.clone()?;
                if let Err(error) = selectors.selectors().check() {
                    wrong(&format!("/selectors/{}", error.field), &error.detail);
                }
                let permission = permission(self.permission.clone()?, wrong);
                Some(Target::Page {
                    url: url?,
                    selectors,
                    permission,
                })
            }
        }
    }

    fn address(&self, allow_private: bool, wrong: &mut impl FnMut(&str, &str)) -> Option<String> {
        let text = self.url.as_deref()?;
        let Ok(given) = Url::parse(text) else {
            wrong("/url", "must be an http or https address");
            return None;
        };
        if let Err(refusal) = address::check(&given, allow_private) {
            wrong("/url", &refusal.to_string());
            return None;
        }
        // As somebody wrote it, all parameters included; its fragment is never sent.
        let mut url = given;
        url.set_fragment(None);
        if url.as_str().len() > ADDRESS_CHARACTERS {
            wrong("/url", "must be an address of at most 2048 characters");
            return None;
        }
        Some(url.into())
    }
}

fn permission(given: PagePermission, wrong: &mut impl FnMut(&str, &str)) -> PagePermission {
    let granted_by = line(&given.granted_by, 200);
    if granted_by.is_none() {
        wrong(
            "/permission/granted_by",
            "must name who allowed it, in 1 to 200 characters",
        );
    }
    let reference = line(&given.reference, 500);
    if reference.is_none() {
        wrong(
            "/permission/reference",
            "must say where it is written, in 1 to 500 characters",
        );
    }
    if given.granted_at > Instant::now().unix_millis() {
        wrong("/permission/granted_at", "must not be in the future");
    }
    PagePermission {
        granted_by: granted_by.unwrap_or_default(),
        granted_at: given.granted_at,
        reference: reference.unwrap_or_default(),
    }
}

/// Text of one line without its ends' white space; nothing when it is empty or too long.
fn line(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= most;
    (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
#[path = "source_fields_tests.rs"]
mod tests;
