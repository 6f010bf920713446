//! The JSON of sources.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::trends::{
    Health, PagePermission, PageSelectors, Source, SourceChange, SourceFields, SourceFilter, Target,
};
use vivesphere_domain::{Error, Instant, time_zone};
use vivesphere_http::Object;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceQuery {
    /// `x_trends`, `feed`, `hacker_news` or `page`.
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    enabled: Option<bool>,
}

impl From<SourceQuery> for SourceFilter {
    fn from(query: SourceQuery) -> Self {
        Self {
            kind: query.kind,
            enabled: query.enabled,
        }
    }
}

/// A source to be added. Which fields it needs depends on its kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSource {
    #[schemars(length(min = 1, max = 100))]
    name: String,
    #[schemars(extend("enum" = ["x_trends", "feed", "hacker_news", "page"]))]
    kind: String,
    /// Of `x_trends`: the id of a place; 1 is the world.
    #[serde(default)]
    woeid: Option<i64>,
    /// Of `hacker_news`: `top`, `new`, `best`, `ask`, `show` or `job`.
    #[serde(default)]
    list: Option<String>,
    /// Of `feed` and `page`. Nothing of X, nothing private.
    #[serde(default)]
    #[schemars(length(max = 2048))]
    url: Option<String>,
    /// Of `page`.
    #[serde(default)]
    selectors: Option<Object<NewSelectors>>,
    /// Of `page`: who allowed that it is read by a machine.
    #[serde(default)]
    permission: Option<Object<NewPermission>>,
    /// BCP 47; else as the source itself says.
    #[serde(default)]
    language: Option<String>,
    /// Else as the source itself says.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    category: Option<String>,
    /// How much a sighting here counts; 1 when left out.
    #[serde(default)]
    #[schemars(range(min = 0.1, max = 10.0))]
    weight: Option<f64>,
    /// The setting `scrape_interval_seconds` when left out.
    #[serde(default)]
    #[schemars(range(min = 60, max = 86400))]
    interval_seconds: Option<i64>,
    /// Whether it is fetched; it is when left out.
    #[serde(default)]
    enabled: Option<bool>,
}

/// Where in a page its items are: CSS selectors, each one alone, without a list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSelectors {
    /// Each item's element.
    #[schemars(length(min = 1, max = 200))]
    item: String,
    /// Inside of it, the title; its own text when left out.
    #[serde(default)]
    title: Option<String>,
    /// Inside of it, the element with the address; its first link when left out.
    #[serde(default)]
    link: Option<String>,
    /// Inside of it, an excerpt.
    #[serde(default)]
    summary: Option<String>,
}

/// Who allowed that a page is read by a machine.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPermission {
    /// A person or an office.
    #[schemars(length(min = 1, max = 200))]
    granted_by: String,
    /// RFC 3339, not in the future.
    #[schemars(extend("format" = "date-time"))]
    granted_at: String,
    /// Where that is written.
    #[schemars(length(min = 1, max = 500))]
    reference: String,
}

impl From<NewSelectors> for PageSelectors {
    fn from(body: NewSelectors) -> Self {
        Self {
            item: body.item,
            title: body.title,
            link: body.link,
            summary: body.summary,
        }
    }
}

impl NewPermission {
    fn parsed(self) -> Result<PagePermission, Error> {
        let granted_at = time_zone::parse_instant(&self.granted_at)
            .map_err(|error| Error::invalid("/permission/granted_at", error.to_string()))?;
        Ok(PagePermission {
            granted_by: self.granted_by,
            granted_at: granted_at.unix_millis(),
            reference: self.reference,
        })
    }
}

impl NewSource {
    pub(crate) fn fields(self) -> Result<SourceFields, Error> {
        Ok(SourceFields {
            name: self.name,
            kind: self.kind,
            woeid: self.woeid,
            list: self.list,
            url: self.url,
            selectors: self.selectors.map(|Object(new)| new.into()),
            permission: self
                .permission
                .map(|Object(new)| new.parsed())
                .transpose()?,
            language: self.language,
            category: self.category,
            weight: self.weight,
            interval_seconds: self.interval_seconds,
            enabled: self.enabled.unwrap_or(true),
        })
    }
}

/// What of a source changes. Its kind does not.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourcePatch {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    selectors: Option<Object<NewSelectors>>,
    #[serde(default)]
    permission: Option<Object<NewPermission>>,
    /// `null` takes it away, a missing field leaves it.
    #[serde(default, deserialize_with = "vivesphere_http::given")]
    language: Option<Option<String>>,
    /// `null` takes it away, a missing field leaves it.
    #[serde(default, deserialize_with = "vivesphere_http::given")]
    category: Option<Option<String>>,
    #[serde(default)]
    weight: Option<f64>,
    /// `null` takes it away, a missing field leaves it.
    #[serde(default, deserialize_with = "vivesphere_http::given")]
    interval_seconds: Option<Option<i64>>,
    /// `true` also starts one again that was stopped.
    #[serde(default)]
    enabled: Option<bool>,
}

impl SourcePatch {
    pub(crate) fn change(self) -> Result<SourceChange, Error> {
        Ok(SourceChange {
            name: self.name,
            url: self.url,
            selectors: self.selectors.map(|Object(new)| new.into()),
            permission: self
                .permission
                .map(|Object(new)| new.parsed())
                .transpose()?,
            language: self.language,
            category: self.category,
            weight: self.weight,
            interval_seconds: self.interval_seconds,
            enabled: self.enabled,
        })
    }
}

/// Where in a page its items are.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SelectorsBody {
    item: String,
    title: Option<String>,
    link: Option<String>,
    summary: Option<String>,
}

/// Who allowed that a page is read by a machine.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PermissionBody {
    granted_by: String,
    granted_at: Instant,
    reference: String,
}

/// A source, and how it fares.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SourceBody {
    #[schemars(extend("format" = "uuid"))]
    source_id: String,
    name: String,
    #[schemars(extend("enum" = ["x_trends", "feed", "hacker_news", "page"]))]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    woeid: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selectors: Option<SelectorsBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<PermissionBody>,
    language: Option<String>,
    category: Option<String>,
    weight: f64,
    interval_seconds: Option<i64>,
    enabled: bool,
    created_by: String,
    health: HealthBody,
    version: i64,
    created_at: Instant,
    updated_at: Instant,
}

/// How a source fares.
#[derive(Serialize, JsonSchema)]
pub(crate) struct HealthBody {
    #[schemars(extend("enum" = ["new", "ok", "failing", "stopped", "disabled"]))]
    status: &'static str,
    next_fetch_at: Option<Instant>,
    /// Failures in a row.
    failures: i64,
    backoff_until: Option<Instant>,
    last_attempt_at: Option<Instant>,
    last_success_at: Option<Instant>,
    /// When it last showed something new.
    last_item_at: Option<Instant>,
    last_error_code: Option<String>,
    last_error_at: Option<Instant>,
    last_http_status: Option<i64>,
    /// Since the beginning.
    requests: i64,
    /// Since the beginning.
    items: i64,
    /// What its requests cost, in millionths of a dollar.
    spent_micro_dollars: i64,
}

impl From<Health> for HealthBody {
    fn from(health: Health) -> Self {
        Self {
            status: health.status,
            next_fetch_at: health.next_fetch_at,
            failures: health.failures,
            backoff_until: health.backoff_until,
            last_attempt_at: health.last_attempt_at,
            last_success_at: health.last_success_at,
            last_item_at: health.last_item_at,
            last_error_code: health.last_error_code,
            last_error_at: health.last_error_at,
            last_http_status: health.last_http_status,
            requests: health.requests,
            items: health.items,
            spent_micro_dollars: health.spent_micro_dollars,
        }
    }
}

impl From<Source> for SourceBody {
    fn from(source: Source) -> Self {
        let mut body = Self {
            source_id: source.source_id,
            name: source.name,
            kind: source.target.kind().as_str(),
            woeid: None,
            list: None,
            url: None,
            selectors: None,
            permission: None,
            language: source.language,
            category: source.category,
            weight: source.weight,
            interval_seconds: source.interval_seconds,
            enabled: source.enabled,
            created_by: source.created_by,
            health: source.health.into(),
            version: source.version,
            created_at: source.created_at,
            updated_at: source.updated_at,
        };
        match source.target {
            Target::XTrends { woeid } => body.woeid = Some(woeid),
            Target::HackerNews { list } => body.list = Some(list.as_str()),
            Target::Feed { url } => body.url = Some(url),
            Target::Page {
                url,
                selectors,
                permission,
            } => {
                body.url = Some(url);
                body.selectors = Some(SelectorsBody {
                    item: selectors.item,
                    title: selectors.title,
                    link: selectors.link,
                    summary: selectors.summary,
                });
                body.permission = Some(PermissionBody {
                    granted_by: permission.granted_by,
                    granted_at: Instant::from_unix_millis(permission.granted_at),
                    reference: permission.reference,
                });
            }
        }
        body
    }
}

/// A source that will be fetched.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ScrapeBody {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) source_id: String,
    /// Not before: what its server asked for, and the spacing of requests to it, hold.
    pub(crate) next_fetch_at: Option<Instant>,
}
