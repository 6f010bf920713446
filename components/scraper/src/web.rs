//! One request to a server of the open web, and the redirects after it. Each hop is looked at
//! anew: its address, what its name resolves to, its server's robots.txt and spacing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::lock::Mutex;
use http::{HeaderMap, HeaderName, Request, header};
use url::Url;
use vivesphere_db::Database;
use vivesphere_domain::Instant;
use vivesphere_domain::trends::{self, Slot, Validators};
use vivesphere_feeds::{address, limits};
use vivesphere_x_api::{Answer, RateLimits, SpinTransport, TransportError};

use crate::outcome::Missed;
use crate::parser::Parser;
use crate::{resolve, robots};

/// From the request to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Redirects that are followed.
pub(crate) const REDIRECTS: usize = 5;
/// How long a run waits for a server's next free moment; what comes later is left for a later run.
const PATIENCE: Duration = Duration::from_secs(8);
/// The same for a source for which something was fetched already, which would be for nothing.
const PATIENCE_MIDWAY: Duration = Duration::from_secs(30);

/// How this worker fetches.
pub(crate) struct Web {
    pub(crate) db: Database,
    pub(crate) user_agent: String,
    pub(crate) allow_private: bool,
    pub(crate) spacing: Duration,
    /// By server: who looks for its robots.txt, and whether it could not be had, with what status.
    pub(crate) gates: RefCell<HashMap<String, Gate>>,
    /// Who reads what was fetched.
    pub(crate) parser: Parser,
}

/// One at a time passes.
pub(crate) type Gate = Rc<Mutex<Option<Option<u16>>>>;

impl Web {
    /// The gate of a server.
    pub(crate) fn gate(&self, origin: &str) -> Gate {
        let mut gates = self.gates.borrow_mut();
        gates.entry(origin.to_owned()).or_default().clone()
    }
}

/// The fetching of one source: what it has cost so far, and how long it may take.
pub(crate) struct Errand<'a> {
    pub(crate) web: &'a Web,
    /// Requests that were sent.
    pub(crate) requests: Cell<i64>,
    /// No request begins after this.
    pub(crate) end: Instant,
}

/// An answer that is a success, or says that nothing is new.
pub(crate) struct Page {
    /// Where it came from, after the redirects.
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// As the header says.
    pub(crate) charset: Option<String>,
    pub(crate) validators: Validators,
    pub(crate) fresh_for: Option<Duration>,
}

impl Errand<'_> {
    /// Fetches a page, if that is allowed.
    pub(crate) async fn get(&self, url: &Url, validators: &Validators) -> Result<Page, Missed> {
        let mut url = url.clone();
        let mut asked: Option<Url> = None;
        for _ in 0..=REDIRECTS {
            self.check(&url).await?;
            let robots = robots::of(self, &url).await?;
            if !robots.allows(path(&url)) {
                return Err(Missed::refused("robots_disallowed"));
            }
            let delay = robots.crawl_delay().unwrap_or_default();
            let same = asked.is_some_and(|asked| asked.origin() == url.origin());
            if same && self.web.spacing.max(delay) > PATIENCE_MIDWAY {
                // It would be put off each time: whoever added the source gives the other address.
                return Err(Missed::failed("redirect_too_slow"));
            }
            self.wait_for(&url, delay).await?;
            let answer = self.ask(&url, validators, limits::DOCUMENT_BYTES).await?;
            match redirected(&url, &answer) {
                Some(next) => asked = Some(std::mem::replace(&mut url, next?)),
                None => return page(url, answer),
            }
        }
        Err(Missed::failed("too_many_redirects"))
    }

    /// Whether an address may be asked at all.
    pub(crate) async fn check(&self, url: &Url) -> Result<(), Missed> {
        let allow_private = self.web.allow_private;
        if is_own(url) {
            return Err(Missed::refused("private_address"));
        }
        address::check(url, allow_private).map_err(|refusal| Missed::refused(refusal.code()))?;
        if allow_private {
            return Ok(());
        }
        resolve::check(url).await
    }

    /// Waits for the next free moment of an address's server.
    pub(crate) async fn wait_for(&self, url: &Url, crawl_delay: Duration) -> Result<(), Missed> {
        let spacing = self.web.spacing.max(crawl_delay);
        self.wait(&url.origin().ascii_serialization(), spacing)
            .await
    }

    /// Sends one request.
    pub(crate) async fn ask(
        &self,
        url: &Url,
        validators: &Validators,
        body_limit: usize,
    ) -> Result<Answer, Missed> {
        let mut request = Request::get(url.as_str())
            .header(header::USER_AGENT, self.web.user_agent.as_str())
            .header(header::ACCEPT_ENCODING, "identity")
            .header(
                header::ACCEPT,
                "application/rss+xml, application/atom+xml, application/feed+json, \
                 application/xml;q=0.9, application/json;q=0.9, text/html;q=0.8, */*;q=0.5",
            );
        if let Some(etag) = &validators.etag {
            request = request.header(header::IF_NONE_MATCH, etag.as_str());
        }
        if let Some(date) = &validators.last_modified {
            request = request.header(header::IF_MODIFIED_SINCE, date.as_str());
        }
        let request = request
            .body(Bytes::new())
            .map_err(|_| Missed::refused("address_not_http"))?;
        self.send(request, body_limit).await
    }

    /// Waits for a server's next free moment, or says that it is too far off.
    pub(crate) async fn wait(&self, origin: &str, spacing: Duration) -> Result<(), Missed> {
        let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let db = &self.web.db;
        let patience = match self.requests.get() {
            0 => PATIENCE,
            _ => PATIENCE_MIDWAY,
        };
        let (spacing, patience) = (milliseconds(spacing), milliseconds(patience));
        let slot = trends::reserve(db, origin, spacing, patience).await;
        match slot.map_err(|_| Missed::failed("storage"))? {
            Slot::At(at) => {
                let wait = at.millis_since(Instant::now()).max(0);
                if wait > 0 {
                    spin_sdk::time::sleep(Duration::from_millis(wait.unsigned_abs())).await;
                }
                Ok(())
            }
            Slot::TakenUntil(until) => Err(Missed::Postponed(until)),
        }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(
        &self,
        request: Request<Bytes>,
        body_limit: usize,
    ) -> Result<Answer, Missed> {
        if Instant::now() >= self.end {
            return Err(Missed::failed("timeout"));
        }
        self.requests.set(self.requests.get() + 1);
        let sent = SpinTransport
            .send_within(request, TIMEOUT, body_limit)
            .await;
        sent.map_err(|error| {
            Missed::failed(match error {
                TransportError::NotSent { code, .. } | TransportError::Interrupted { code, .. } => {
                    code
                }
                TransportError::Timeout => "timeout",
            })
        })
    }
}

/// Whether an address names a component of this application (Spin's `*.spin.internal`, `self`):
/// whatever else is allowed, those are no sources.
fn is_own(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default().trim_end_matches('.');
    ["self", "self.alt", "spin.internal"].contains(&name) || name.ends_with(".spin.internal")
}

/// What robots.txt is asked about: path and query.
fn path(url: &Url) -> &str {
    let rest = url.as_str().get(url.origin().ascii_serialization().len()..);
    rest.filter(|path| path.starts_with('/')).unwrap_or("/")
}

/// Where an answer leads on to, if it is a redirect.
pub(crate) fn redirected(url: &Url, answer: &Answer) -> Option<Result<Url, Missed>> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let next = text(&answer.headers, &header::LOCATION)
        .filter(|location| location.len() <= limits::ADDRESS_CHARACTERS)
        .and_then(|location| url.join(&location).ok());
    Some(next.ok_or_else(|| Missed::failed("redirect_without_address")))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.trim().to_owned())
}

fn page(url: Url, answer: Answer) -> Result<Page, Missed> {
    let (status, headers) = (answer.status.as_u16(), &answer.headers);
    if !(answer.status.is_success() || status == 304) {
        let retry_after = RateLimits::from_headers(headers).retry_after;
        return Err(Missed::answered(status, retry_after));
    }
    if !answer.complete {
        let too_long = answer.body.len() >= limits::DOCUMENT_BYTES;
        let code = if too_long {
            "document_too_long"
        } else {
            "connection_lost"
        };
        return Err(Missed::unreadable(code, status));
    }
    // Nothing but plain bytes was asked for.
    let encoding = text(headers, &header::CONTENT_ENCODING);
    if encoding.is_some_and(|name| !name.eq_ignore_ascii_case("identity")) {
        return Err(Missed::unreadable("content_encoding", status));
    }
    let kept = |name| text(headers, name).filter(|text| text.len() <= 512);
    Ok(Page {
        charset: charset(headers),
        validators: Validators {
            etag: kept(&header::ETAG),
            last_modified: kept(&header::LAST_MODIFIED),
        },
        fresh_for: fresh_for(headers),
        body: answer.body,
        url,
        status,
    })
}

fn charset(headers: &HeaderMap) -> Option<String> {
    let kind = text(headers, &header::CONTENT_TYPE)?.to_ascii_lowercase();
    let (_, name) = kind.split_once("charset=")?;
    let end = name.find(';').unwrap_or(name.len());
    let name = name.get(..end)?.trim().trim_matches('"');
    Some(name.to_owned())
}

/// `Cache-Control: max-age` (RFC 9111, section 5.2.2.1).
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let control = text(headers, &header::CACHE_CONTROL)?.to_ascii_lowercase();
    let seconds = control
        .split(',')
        .find_map(|part| part.trim().strip_prefix("max-age="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use http::StatusCode;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )
        });
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: Bytes::new(),
            complete: true,
        }
    }

    #[test]
    fn redirects_are_joined_and_nothing_else_is_one() {
        let url = Url::parse("https://news.example/a/b").unwrap();
        let next = |status, location| {
            redirected(&url, &answer(status, &[("location", location)]))
                .map(|next| next.ok().map(String::from))
        };
        assert_eq!(
            next(301, "../c"),
            Some(Some("https://news.example/c".to_owned()))
        );
        assert_eq!(
            next(308, "//127.0.0.1/"),
            Some(Some("https://127.0.0.1/".to_owned()))
        );
        assert_eq!(next(302, "http://[nonsense"), Some(None));
        assert_eq!(next(200, "/c"), None);
        assert_eq!(next(304, "/c"), None);
        assert!(matches!(redirected(&url, &answer(302, &[])), Some(Err(_))));
    }

    #[test]
    fn components_are_no_sources() {
        let own = |text: &str| is_own(&Url::parse(text).unwrap());
        assert!(
            own("http://botdata.spin.internal/x") && own("http://self.alt/") && own("http://self/")
        );
        assert!(!own("https://spin.example/") && !own("https://notspin.internal.example/"));
    }

    #[test]
    fn headers_are_read() {
        let of = |pairs: &[(&'static str, &'static str)]| answer(200, pairs).headers;
        let html = of(&[("content-type", "text/html; Charset=\"ISO-8859-1\"; x=y")]);
        assert_eq!(charset(&html).as_deref(), Some("iso-8859-1"));
        assert_eq!(charset(&of(&[("content-type", "text/html")])), None);
        let control = of(&[("cache-control", "public, max-age=600")]);
        assert_eq!(fresh_for(&control), Some(Duration::from_secs(600)));
        assert_eq!(fresh_for(&of(&[("cache-control", "max-age=soon")])), None);
        let url = Url::parse("https://news.example:8443/a?b=c").unwrap();
        assert_eq!(path(&url), "/a?b=c");
        assert_eq!(path(&Url::parse("https://news.example").unwrap()), "/");
    }
}
