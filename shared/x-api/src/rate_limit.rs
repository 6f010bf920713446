//! What the headers of an answer say about limits
//! (<https://docs.x.com/x-api/fundamentals/rate-limits>).

use http::HeaderMap;

/// One window: how many calls it allows, how many are left, and when it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Calls in a window.
    pub limit: Option<u64>,
    /// Calls left.
    pub remaining: Option<u64>,
    /// Unix seconds.
    pub reset: Option<i64>,
}

impl Window {
    fn read(headers: &HeaderMap, prefix: &str) -> Option<Self> {
        let window = Self {
            limit: number(headers, &format!("{prefix}-limit")),
            remaining: number(headers, &format!("{prefix}-remaining")),
            reset: number(headers, &format!("{prefix}-reset")),
        };
        (window != Self::default()).then_some(window)
    }

    /// When a call is possible again, if none is left now.
    #[must_use]
    pub fn exhausted_until(&self) -> Option<i64> {
        (self.remaining == Some(0)).then_some(self.reset).flatten()
    }
}

/// Every limit that an answer spoke of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimits {
    /// `x-rate-limit-*`: the endpoint's 15-minute window.
    pub window: Option<Window>,
    /// `x-user-limit-24hour-*`: the account's day on this endpoint.
    pub user_day: Option<Window>,
    /// `x-app-limit-24hour-*`: the application's day on this endpoint.
    pub app_day: Option<Window>,
    /// `retry-after` in seconds, which X does not document but intermediaries send.
    pub retry_after: Option<u64>,
}

impl RateLimits {
    /// Reads the headers; what is missing or malformed is `None`.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self {
            window: Window::read(headers, "x-rate-limit"),
            user_day: Window::read(headers, "x-user-limit-24hour"),
            app_day: Window::read(headers, "x-app-limit-24hour"),
            retry_after: retry_after(headers),
        }
    }

    /// The windows that were spoken of wholly: its name, its calls, the calls left, its reset in
    /// unix seconds.
    pub fn whole_windows(&self) -> impl Iterator<Item = (&'static str, u64, u64, i64)> {
        [
            ("window", self.window),
            ("user_day", self.user_day),
            ("app_day", self.app_day),
        ]
        .into_iter()
        .filter_map(|(name, window)| {
            let window = window?;
            Some((name, window.limit?, window.remaining?, window.reset?))
        })
    }

    /// The latest reset among the windows with nothing left, in unix seconds: before it, another
    /// call on this endpoint is useless.
    #[must_use]
    pub fn exhausted_until(&self) -> Option<i64> {
        [self.window, self.user_day, self.app_day]
            .into_iter()
            .flatten()
            .filter_map(|window| window.exhausted_until())
            .max()
    }
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Seconds, or a date (RFC 9110, section 10.2.3) as seconds from the answer's own `date`.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    if let Some(seconds) = number(headers, "retry-after") {
        return Some(seconds);
    }
    let date = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?;
        httpdate::parse_http_date(text.trim()).ok()
    };
    let wait = date("retry-after")?.duration_since(date("date")?);
    Some(wait.ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    http::HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn an_exhausted_day_outlasts_the_window() {
        let limits = RateLimits::from_headers(&headers(&[
            ("x-rate-limit-limit", "100"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1000"),
            ("x-user-limit-24hour-remaining", "0"),
            ("x-user-limit-24hour-reset", "90000"),
            ("x-app-limit-24hour-remaining", "12"),
            ("x-app-limit-24hour-reset", "95000"),
        ]));
        assert_eq!(limits.window.unwrap().limit, Some(100));
        // Of the days the limit was not told.
        let whole: Vec<_> = limits.whole_windows().collect();
        assert_eq!(whole, [("window", 100, 0, 1000)]);
        assert_eq!(limits.exhausted_until(), Some(90000));
    }

    #[test]
    fn nonsense_is_absent() {
        let limits = RateLimits::from_headers(&headers(&[
            ("x-rate-limit-remaining", "many"),
            ("retry-after", "soon"),
        ]));
        assert_eq!(limits, RateLimits::default());
    }

    #[test]
    fn retry_after_may_be_a_date() {
        let limits = RateLimits::from_headers(&headers(&[
            ("date", "Fri, 20 Nov 2026 10:00:00 GMT"),
            ("retry-after", "Fri, 20 Nov 2026 10:02:00 GMT"),
        ]));
        assert_eq!(limits.retry_after, Some(120));
    }
}
