//! Rate limits: fixed windows that begin with their first call
//! (<https://docs.x.com/x-api/fundamentals/rate-limits>).

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::call::Endpoint;

const QUARTER: i64 = 15 * 60;
const DAY: i64 = 24 * 60 * 60;

/// How many calls of one endpoint are allowed; nothing means as many as one likes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// An account's in 15 minutes.
    pub user_window: Option<u64>,
    /// The application's in 15 minutes.
    pub app_window: Option<u64>,
    /// An account's in 24 hours.
    pub user_day: Option<u64>,
    /// The application's in 24 hours.
    pub app_day: Option<u64>,
}

/// The limit of each endpoint.
pub type Limits = BTreeMap<Endpoint, Limit>;

/// X's own table.
pub(crate) fn of_x() -> Limits {
    let limit = |user_window, app_window, app_day| Limit {
        user_window,
        app_window,
        user_day: None,
        app_day,
    };
    [
        (Endpoint::CreatePost, limit(Some(100), None, Some(10_000))),
        (Endpoint::DeletePost, limit(Some(50), None, None)),
        (Endpoint::LookUpPosts, limit(Some(5_000), Some(3_500), None)),
        (Endpoint::UsersMe, limit(Some(75), None, None)),
        (Endpoint::UserPosts, limit(Some(900), Some(10_000), None)),
        (Endpoint::Trends, limit(None, Some(75), None)),
    ]
    .into_iter()
    .collect()
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: i64,
    count: u64,
}

/// The windows in use.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// By endpoint, account (empty for the application) and length in seconds.
    windows: HashMap<(Endpoint, String, i64), Window>,
}

/// Whether a call is allowed, and the headers that say so.
pub(crate) struct Taken {
    pub(crate) allowed: bool,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Windows {
    /// Counts a call. A refused one does not count. `now` in unix seconds.
    pub(crate) fn take(&mut self, endpoint: Endpoint, limit: Limit, user: &str, now: i64) -> Taken {
        let rows = [
            (limit.user_window, user, QUARTER, 0),
            (limit.app_window, "", QUARTER, 1),
            (limit.user_day, user, DAY, 2),
            (limit.app_day, "", DAY, 3),
        ];
        let rows: Vec<_> = rows
            .into_iter()
            .filter_map(|(allowed, who, length, place)| {
                let key = (endpoint, who.to_owned(), length);
                let window = self.windows.entry(key.clone()).or_insert(Window {
                    start: now,
                    count: 0,
                });
                if now >= window.start + length {
                    *window = Window {
                        start: now,
                        count: 0,
                    };
                }
                Some((key, allowed?, *window, place))
            })
            .collect();
        let allowed = rows.iter().all(|(_, most, window, _)| window.count < *most);
        let mut headers = Vec::new();
        let mut shown = false;
        for (key, most, window, place) in rows {
            let used = window.count + u64::from(allowed);
            if allowed && let Some(window) = self.windows.get_mut(&key) {
                window.count = used;
            }
            let [limit, remaining, reset] = match place {
                0 | 1 if shown => continue,
                0 | 1 => {
                    shown = true;
                    [
                        "x-rate-limit-limit",
                        "x-rate-limit-remaining",
                        "x-rate-limit-reset",
                    ]
                }
                2 => [
                    "x-user-limit-24hour-limit",
                    "x-user-limit-24hour-remaining",
                    "x-user-limit-24hour-reset",
                ],
                _ => [
                    "x-app-limit-24hour-limit",
                    "x-app-limit-24hour-remaining",
                    "x-app-limit-24hour-reset",
                ],
            };
            headers.push((limit, most.to_string()));
            headers.push((remaining, most.saturating_sub(used).to_string()));
            headers.push((reset, (window.start + key.2).to_string()));
        }
        Taken { allowed, headers }
    }
}
