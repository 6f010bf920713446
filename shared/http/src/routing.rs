//! Which row of the route table a request belongs to.

use http::Method;
use http::StatusCode;
use http::request::Parts;

use crate::{Problem, Route, Verb};

/// The route of a path and method, with its parameters: 404 when no route has the path,
/// 405 with `Allow` when none of them has the method.
pub(crate) fn find(
    routes: &'static [Route],
    parts: &Parts,
) -> Result<(&'static Route, Vec<(String, String)>), Problem> {
    let mut allowed = Vec::new();
    let mut best: Option<(&Route, Vec<(String, String)>)> = None;
    for (route, parameters) in rows(routes, parts.uri.path()) {
        allowed.push(route.method.as_http());
        if route.method == Verb::Get {
            allowed.push(Method::HEAD);
        }
        if route.method.as_http() == parts.method {
            best = Some((route, parameters));
        }
    }
    best.ok_or_else(|| {
        if allowed.is_empty() {
            return Problem::not_found();
        }
        let mut problem = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This path does not have that method.",
        );
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        problem.allow = Some(names.join(", "));
        problem
    })
}

/// The rows of a path, with its parameters. A literal segment wins over a parameter: "/bots/list" is
/// not a bot's id.
fn rows<'a>(
    routes: &'static [Route],
    path: &'a str,
) -> impl Iterator<Item = (&'static Route, Vec<(String, String)>)> + 'a {
    let literal = routes.iter().any(|route| route.path == path);
    routes
        .iter()
        .filter(move |route| !literal || route.path == path)
        .filter_map(move |route| Some((route, matches(route.path, path)?)))
}

/// Matches a path against a pattern whose parameters are whole segments, `{name}`.
fn matches(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut given = path.split('/');
    for wanted in pattern.split('/') {
        let segment = given.next()?;
        match wanted
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) if !segment.is_empty() => {
                parameters.push((name.to_owned(), segment.to_owned()));
            }
            None if wanted == segment => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(parameters)
}

/// The methods of a path.
pub(crate) fn methods(routes: &'static [Route], path: &str) -> Vec<Method> {
    rows(routes, path)
        .map(|(route, _)| route.method.as_http())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_matches_whole_segments_only() {
        assert_eq!(matches("/a/b", "/a/b"), Some(vec![]));
        assert_eq!(
            matches("/a/{id}", "/a/x"),
            Some(vec![("id".into(), "x".into())])
        );
        for (pattern, path) in [
            ("/a/{id}", "/a/"),
            ("/a/{id}", "/a"),
            ("/a/{id}", "/a/x/y"),
            ("/a/{id}/b", "/a/x/c"),
            ("/a", "/a/"),
        ] {
            assert_eq!(matches(pattern, path), None, "{pattern} {path}");
        }
    }
}
