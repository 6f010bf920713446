//! Spin's routes: exact, with `:parameters`, or a prefix (`/...`). The more specific wins.

use crate::application::{Application, HttpRoute};

/// The routes of an application, most specific first.
#[derive(Debug)]
pub(crate) struct Router {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    pattern: String,
    segments: Vec<Segment>,
    /// Whether it ends in `/...`.
    prefix: bool,
    component: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Matched<'a> {
    pub(crate) component: &'a str,
    pub(crate) pattern: &'a str,
    /// What a prefix route leaves, beginning with `/`; empty otherwise.
    pub(crate) path_info: String,
    pub(crate) parameters: Vec<(&'a str, String)>,
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

    pub(crate) fn find(&self, path: &str) -> Option<Matched<'_>> {
        self.routes.iter().find_map(|route| route.matches(path))
    }
}

impl Route {
    fn new(pattern: &str, component: &str) -> Self {
        let (path, prefix) = match pattern.strip_suffix("/...") {
            Some(path) => (path, true),
            None => (pattern, false),
        };
        Self {
            pattern: pattern.to_owned(),
            segments: segments(path)
                .map(|segment| match segment.strip_prefix(':') {
                    Some(name) => Segment::Parameter(name.to_owned()),
                    None => Segment::Literal(segment.to_owned()),
                })
                .collect(),
            prefix,
            component: component.to_owned(),
        }
    }

    fn matches(&self, path: &str) -> Option<Matched<'_>> {
        let mut given = segments(path);
        let mut parameters = Vec::new();
        for segment in &self.segments {
            let text = given.next()?;
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Parameter(name) if !text.is_empty() => {
                    parameters.push((name.as_str(), text.to_owned()));
                }
                _ => return None,
            }
        }
        let rest: Vec<&str> = given.collect();
        let path_info = if self.prefix {
            let mut info: String = rest.iter().flat_map(|text| ["/", text]).collect();
            if path.ends_with('/') && !rest.is_empty() {
                info.push('/');
            }
            info
        } else if rest.is_empty() {
            String::new()
        } else {
            return None;
        };
        Some(Matched {
            component: &self.component,
            pattern: &self.pattern,
            path_info,
            parameters,
        })
    }
}

/// A trailing slash makes no difference to Spin's routes.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_matches('/')
        .split('/')
        .filter(|segment| !segment.is_empty())
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
            .map(|matched| matched.component.to_owned())
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
        assert_eq!(found(&router, "/api/v1/botsy"), None);
        assert_eq!(found(&router, "/exact/more"), None);
        assert_eq!(found(&router, "/"), None);
    }

    #[test]
    fn parameters_are_told() {
        let router = router(&["/users/:id/posts"]);
        let matched = router.find("/users/7/posts").expect("a match");
        assert_eq!(matched.parameters, [("id", "7".to_owned())]);
    }
}
