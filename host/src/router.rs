//! Spin's routes: exact, with `:parameters`, or a prefix (`/...`). The more specific wins.
//! <https://spinframework.dev/v3/http-trigger#routing>

use http::{HeaderName, HeaderValue};

use crate::application::{Application, HttpRoute};
use crate::spin_headers::{RouteHeaders, value};

/// The public routes of an application, most specific first.
#[derive(Debug)]
pub(crate) struct Router {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    segments: Vec<Segment>,
    /// Whether it ends in `/...`.
    prefix: bool,
    component: String,
    /// As the manifest has it, and without `/...`.
    pattern: HeaderValue,
    without_prefix: HeaderValue,
}

#[derive(Debug)]
enum Segment {
    Literal(String),
    /// With the header that tells its value.
    Parameter(Option<HeaderName>),
}

/// Where a path leads.
#[derive(Debug)]
pub(crate) struct Matched<'a> {
    /// The route's place in [`Router::components`].
    pub(crate) index: usize,
    route: &'a Route,
    /// What a prefix route leaves, beginning with `/`; empty otherwise.
    path_info: &'a str,
    parameters: Vec<(&'a HeaderName, &'a str)>,
}

impl Router {
    pub(crate) fn new(application: &Application) -> Self {
        let mut routes: Vec<Route> = application
            .http_triggers
            .iter()
            .filter_map(|trigger| match &trigger.route {
                HttpRoute::Public(pattern) => Some(Route::new(pattern, &trigger.component)),
                HttpRoute::Private => None,
            })
            .collect();
        // Literal before parameter before prefix, segment by segment; longer before shorter.
        routes.sort_by_key(|route| {
            let mut key: Vec<u8> = route
                .segments
                .iter()
                .map(|segment| match segment {
                    Segment::Literal(_) => 0,
                    Segment::Parameter(_) => 1,
                })
                .collect();
            key.push(if route.prefix { 3 } else { 2 });
            key
        });
        Self { routes }
    }

    /// The component of each route, in order.
    pub(crate) fn components(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|route| route.component.as_str())
    }

    pub(crate) fn find<'a>(&'a self, path: &'a str) -> Option<Matched<'a>> {
        self.routes
            .iter()
            .enumerate()
            .find_map(|(index, route)| route.matches(index, path))
    }
}

impl Route {
    fn new(pattern: &str, component: &str) -> Self {
        let (path, prefix) = match pattern.strip_suffix("/...") {
            Some(path) => (path, true),
            None => (pattern, false),
        };
        let segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| match segment.strip_prefix(':') {
                Some(name) => {
                    let name = format!("spin-path-match-{}", name.to_lowercase());
                    Segment::Parameter(HeaderName::try_from(name).ok())
                }
                None => Segment::Literal(segment.to_owned()),
            })
            .collect();
        Self {
            segments,
            prefix,
            component: component.to_owned(),
            pattern: value(pattern.to_owned()),
            without_prefix: value(path.to_owned()),
        }
    }

    fn matches<'a>(&'a self, index: usize, path: &'a str) -> Option<Matched<'a>> {
        let mut rest = path;
        let mut parameters = Vec::new();
        for wanted in &self.segments {
            let after_slash = rest.strip_prefix('/')?;
            let end = after_slash.find('/').unwrap_or(after_slash.len());
            let (segment, more) = after_slash.split_at(end);
            match wanted {
                Segment::Literal(literal) if literal == segment => {}
                Segment::Parameter(name) if !segment.is_empty() => {
                    parameters.extend(name.as_ref().map(|name| (name, segment)));
                }
                _ => return None,
            }
            rest = more;
        }
        let path_info = match rest {
            rest if self.prefix => rest,
            // A slash at the end makes no difference.
            "" | "/" => "",
            _ => return None,
        };
        Some(Matched {
            index,
            route: self,
            path_info,
            parameters,
        })
    }
}

impl Matched<'_> {
    /// What the request's headers tell of the match.
    pub(crate) fn headers(&self) -> RouteHeaders {
        let parameters = self.parameters.iter();
        RouteHeaders {
            pattern: self.route.pattern.clone(),
            prefix: self.route.without_prefix.clone(),
            path_info: value(self.path_info.to_owned()),
            parameters: parameters
                .map(|(name, text)| ((*name).clone(), value((*text).to_owned())))
                .collect(),
        }
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
    }

    fn found(router: &Router, path: &str) -> Option<String> {
        router
            .find(path)
            .map(|matched| matched.route.component.clone())
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
    fn a_prefix_matches_the_bare_path_and_tells_the_rest() {
        let router = router(&["/api/v1/bots/...", "/exact"]);
        let matched = router.find("/api/v1/bots/x/posts").expect("a match");
        assert_eq!(matched.path_info, "/x/posts");
        assert_eq!(router.find("/api/v1/bots").expect("a match").path_info, "");
        assert_eq!(
            router.find("/api/v1/bots/").expect("a match").path_info,
            "/"
        );
        assert_eq!(found(&router, "/api/v1/botsy"), None);
        assert_eq!(found(&router, "/exact/more"), None);
        assert_eq!(found(&router, "/exact/").as_deref(), Some("/exact"));
        assert_eq!(found(&router, "//exact"), None);
        assert_eq!(found(&router, "/"), None);
    }

    #[test]
    fn parameters_are_told() {
        let router = router(&["/users/:id/posts"]);
        let matched = router.find("/users/7/posts").expect("a match");
        let headers = matched.headers();
        let (name, value) = &headers.parameters[0];
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            ("spin-path-match-id", &b"7"[..])
        );
    }
}
