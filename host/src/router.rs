//! Spin's routes: exact, with `:parameters`, or a prefix (`/...`). The more specific wins.
//! <https://spinframework.dev/v3/http-trigger#routing>
//!
//! Spin's own router finds them here, too, in the same version: which of two routes wins is not
//! always as one would think. Where a route begins with a dot, it depends on the order in which
//! the manifest has them, and other routes may suffer as well.

use http::{HeaderName, HeaderValue};

use crate::application::{Application, HttpRoute};
use crate::spin_headers::{RouteHeaders, value};

/// The public routes of an application.
#[derive(Debug)]
pub(crate) struct Router(routefinder::Router<Route>);

#[derive(Debug)]
struct Route {
    component: String,
    /// As the manifest has it, and without `/...`.
    pattern: HeaderValue,
    without_prefix: HeaderValue,
}

impl Router {
    pub(crate) fn new(application: &Application) -> anyhow::Result<Self> {
        let mut routes = routefinder::Router::new();
        for trigger in &application.http_triggers {
            let HttpRoute::Public(pattern) = &trigger.route else {
                continue;
            };
            let prefix = pattern.strip_suffix("/...");
            let wanted = prefix.map_or_else(|| pattern.clone(), |prefix| format!("{prefix}/*"));
            let route = Route {
                component: trigger.component.clone(),
                pattern: value(pattern.clone()),
                without_prefix: value(prefix.unwrap_or(pattern).to_owned()),
            };
            routes.add(wanted, route).map_err(|error| {
                anyhow::anyhow!("the route `{pattern}` cannot be read: {error}")
            })?;
        }
        Ok(Self(routes))
    }

    /// The component of a path, and what its request's headers tell of the match.
    pub(crate) fn find(&self, path: &str) -> Option<(&str, RouteHeaders)> {
        let found = self.0.best_match(path)?;
        let route = found.handler();
        let captures = found.captures();
        let path_info = match captures.wildcard() {
            None => String::new(),
            // The router drops a slash at the end, Spin tells of it.
            Some(rest) => {
                let before = if rest.is_empty() { "" } else { "/" };
                let after = if path.ends_with('/') { "/" } else { "" };
                [before, rest, after].concat()
            }
        };
        let parameters = captures.iter().filter_map(|(name, text)| {
            let name = format!("spin-path-match-{}", name.to_lowercase());
            Some((HeaderName::try_from(name).ok()?, value(text.to_owned())))
        });
        let headers = RouteHeaders {
            pattern: route.pattern.clone(),
            prefix: route.without_prefix.clone(),
            path_info: value(path_info),
            parameters: parameters.collect(),
        };
        Some((&route.component, headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::HttpTrigger;

    fn router(routes: &[&str]) -> Router {
        Router::new(&Application {
            name: String::new(),
            version: String::new(),
            components: Default::default(),
            http_triggers: routes
                .iter()
                .map(|route| HttpTrigger {
                    component: (*route).to_owned(),
                    route: HttpRoute::Public((*route).to_owned()),
                })
                .collect(),
            cron_triggers: Vec::new(),
        })
        .expect("routes that can be read")
    }

    fn found(router: &Router, path: &str) -> Option<String> {
        router.find(path).map(|(component, _)| component.to_owned())
    }

    #[test]
    fn the_more_specific_route_wins_whatever_the_order() {
        let router = router(&["/...", "/a/...", "/a/:b", "/a/b", "/a/b/..."]);
        for (path, wanted) in [
            ("/", "/..."),
            ("/z", "/..."),
            ("/a", "/a/..."),
            ("/a/b", "/a/b"),
            ("/a/x", "/a/:b"),
            ("/a/x/y", "/a/..."),
            ("/a/b/c", "/a/b/..."),
        ] {
            assert_eq!(found(&router, path).as_deref(), Some(wanted), "{path}");
        }
    }

    #[test]
    fn a_route_that_begins_with_a_dot_is_hidden_as_on_spin() {
        // Where it comes first, what leads everywhere takes it away.
        let hidden = router(&["/.well-known/keys.json", "/..."]);
        let path = "/.well-known/keys.json";
        assert_eq!(found(&hidden, path).as_deref(), Some("/..."));
        let seen = router(&["/...", "/.well-known/keys.json"]);
        assert_eq!(found(&seen, path).as_deref(), Some(path));
        // A parameter does not depend on the order, and leaves the others alone.
        for routes in [
            ["/:well_known/keys.json", "/...", "/docs/..."],
            ["/docs/...", "/...", "/:well_known/keys.json"],
        ] {
            let router = router(&routes);
            for (path, wanted) in [
                (path, "/:well_known/keys.json"),
                ("/.well-known/more", "/..."),
                ("/keys.json", "/..."),
                ("/docs/keys.json", "/docs/..."),
            ] {
                assert_eq!(found(&router, path).as_deref(), Some(wanted), "{path}");
            }
        }
        // A dot further on is a letter like any other.
        let router = router(&["/...", "/a/v1.json"]);
        assert_eq!(found(&router, "/a/v1.json").as_deref(), Some("/a/v1.json"));
        assert_eq!(found(&router, "/a/v1xjson").as_deref(), Some("/..."));
    }

    #[test]
    fn a_prefix_matches_the_bare_path_and_tells_the_rest() {
        let router = router(&["/api/v1/bots/...", "/exact"]);
        for (path, path_info) in [
            ("/api/v1/bots/x/posts", "/x/posts"),
            ("/api/v1/bots/x/", "/x/"),
            ("/api/v1/bots", ""),
            ("/api/v1/bots/", "/"),
        ] {
            let (_, headers) = router.find(path).expect("a match");
            assert_eq!(headers.path_info, path_info, "{path}");
        }
        assert_eq!(found(&router, "/api/v1/botsy"), None);
        assert_eq!(found(&router, "/exact/more"), None);
        assert_eq!(found(&router, "/exact/").as_deref(), Some("/exact"));
        // Nor do slashes in front.
        assert_eq!(found(&router, "//exact").as_deref(), Some("/exact"));
        assert_eq!(found(&router, "/"), None);
    }

    #[test]
    fn parameters_are_told() {
        let router = router(&["/users/:id/posts"]);
        let (_, headers) = router.find("/users/7/posts").expect("a match");
        let (name, value) = &headers.parameters[0];
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            ("spin-path-match-id", &b"7"[..])
        );
    }
}
