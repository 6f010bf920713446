//! Addresses of articles, in one form.

use url::Url;

use crate::limits::ADDRESS_CHARACTERS;

/// Parameters that tell who clicked where, and name nothing.
const TRACKING: [&str; 24] = [
    "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid",
    "igshid", "igsh", "mc_cid", "mc_eid", "mkt_tok", "_ga", "_gl", "_hsenc", "_hsmi", "ref_src",
    "ref_url", "cmpid", "ncid", "spm", "s_cid",
];
const TRACKING_PREFIXES: [&str; 4] = ["utm_", "at_", "pk_", "mtm_"];

/// An address in the form in which it is kept: absolute, `http` or `https`, the host in lower case,
/// without credentials, fragment, the scheme's own port and tracking parameters. `None` for what is
/// no such address.
#[must_use]
pub fn canonical(text: &str, base: Option<&Url>) -> Option<Url> {
    let text = text.trim();
    if text.is_empty() || text.len() > ADDRESS_CHARACTERS {
        return None;
    }
    let mut url = match base {
        Some(base) => base.join(text).ok()?,
        None => Url::parse(text).ok()?,
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return None;
    }
    url.set_fragment(None);
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    if let Some(query) = url.query() {
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.is_empty() && !is_tracking(pair))
            .collect();
        let kept = kept.join("&");
        url.set_query((!kept.is_empty()).then_some(kept.as_str()));
    }
    (url.as_str().len() <= ADDRESS_CHARACTERS).then_some(url)
}

fn is_tracking(pair: &str) -> bool {
    let name = pair
        .split('=')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    TRACKING.contains(&name.as_str())
        || TRACKING_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// What two addresses of one article have in common: the canonical one without scheme, `www.` and
/// the last slash.
#[must_use]
pub fn url_key(url: &Url) -> String {
    let text = url.as_str();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    rest.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> String {
        canonical(text, None).map(Url::into).unwrap_or_default()
    }

    #[test]
    fn one_article_has_one_address() {
        assert_eq!(
            of("HTTPS://News.Example:443/a?utm_source=x&id=7&fbclid=y#top"),
            "https://news.example/a?id=7"
        );
        assert_eq!(
            of("https://u:p@news.example/?UTM_Campaign=z"),
            "https://news.example/"
        );
        for bad in [
            "",
            "news.example/a",
            "mailto:a@b.example",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert_eq!(of(bad), "", "{bad}");
        }
        let base = Url::parse("https://news.example/feeds/all.xml").unwrap();
        assert_eq!(
            canonical("../a", Some(&base)).unwrap().as_str(),
            "https://news.example/a"
        );
        let key = |text| url_key(&canonical(text, None).unwrap());
        assert_eq!(
            key("http://www.news.example/a/"),
            key("https://news.example/a")
        );
    }

    proptest! {
        #[test]
        fn the_form_is_final(path in "[a-zA-Z0-9/%._-]{0,40}", query in "[a-z_=&%0-9]{0,40}") {
            let text = format!("https://news.example/{path}?{query}");
            if let Some(url) = canonical(&text, None) {
                prop_assert_eq!(canonical(url.as_str(), None), Some(url));
            }
        }
    }
}
