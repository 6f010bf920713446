//! `[[trigger.http]]` and `[[trigger.cron]]`.

use std::collections::BTreeMap;

use croner::parser::{CronParser, Seconds, Year};

use super::UNSUPPORTED;
use super::component::{Reader, check_id};
use super::document::{Entry, Section, near_miss};
use crate::application::{CronTrigger, HttpRoute, HttpTrigger};

/// Trigger types of Spin and its plugins that this host does not serve.
const OTHER_TYPES: &[(&str, &str)] = &[
    ("redis", "it serves `http` and `cron`"),
    ("command", "it serves `http` and `cron`"),
    ("sqs", "it serves `http` and `cron`"),
    ("mqtt", "it serves `http` and `cron`"),
    ("timer", "write a `[[trigger.cron]]` instead"),
];

/// Reads every trigger, and the components that are written inside one.
pub(super) fn read(
    root: &Section<'_>,
    components: &mut Reader<'_>,
    http: &mut Vec<HttpTrigger>,
    cron: &mut Vec<CronTrigger>,
) {
    let Some(triggers) = root.required("trigger").and_then(|entry| entry.section()) else {
        return;
    };
    triggers.keys(&["http", "cron"], OTHER_TYPES);
    let mut ids = BTreeMap::new();
    let mut routes = BTreeMap::new();
    for (index, trigger) in sections(&triggers, "http").iter().enumerate() {
        trigger.keys(&["id", "component", "route"], UNSUPPORTED);
        let component = component(
            trigger,
            &format!("http-trigger-{}", index + 1),
            &mut ids,
            components,
        );
        let route = trigger.required("route").and_then(|entry| route(&entry));
        if let (Some(component), Some((route, line))) = (component, route) {
            if let HttpRoute::Public(path) = &route
                && let Some(first) = routes.insert(comparable(path), line)
            {
                trigger.refuse(
                    line,
                    format!("the route `{path}` is already taken in line {first}"),
                );
            }
            http.push(HttpTrigger { component, route });
        }
    }
    for (index, trigger) in sections(&triggers, "cron").iter().enumerate() {
        trigger.keys(&["id", "component", "cron_expression"], UNSUPPORTED);
        let component = component(
            trigger,
            &format!("cron-trigger-{}", index + 1),
            &mut ids,
            components,
        );
        let expression = trigger
            .required("cron_expression")
            .and_then(|entry| cron_expression(&entry));
        if let (Some(component), Some(expression)) = (component, expression) {
            cron.push(CronTrigger {
                component,
                expression,
            });
        }
    }
}

fn sections<'a>(triggers: &Section<'a>, key: &str) -> Vec<Section<'a>> {
    triggers
        .entry(key)
        .map_or_else(Vec::new, |entry| entry.sections())
}

/// The id of the trigger's component.
fn component(
    trigger: &Section<'_>,
    default_id: &str,
    ids: &mut BTreeMap<String, usize>,
    components: &mut Reader<'_>,
) -> Option<String> {
    let given = trigger.string("id");
    if let Some(id) = &given
        && let Some(first) = ids.insert(id.value.clone(), id.line)
    {
        let message = format!(
            "the trigger id `{}` is already taken in line {first}",
            id.value
        );
        trigger.refuse(id.line, message);
    }
    let entry = trigger.required("component")?;
    if entry.is_table() {
        if let Some(id) = &given {
            check_id(&id.value, &entry);
        }
        // Spin names a component written inside its trigger after that trigger.
        let id = given.map_or_else(|| default_id.to_owned(), |id| id.value) + "-component";
        components.read(&id, &entry);
        return Some(id);
    }
    let id = entry.string()?.value;
    if !components.ids.contains(&id) {
        let known: Vec<&str> = components.ids.iter().map(String::as_str).collect();
        entry.refuse(match near_miss(&id, &known) {
            Some(near) => format!("there is no component `{id}`; did you mean `{near}`?"),
            None => format!("there is no component `{id}`"),
        });
        return None;
    }
    Some(id)
}

fn route(entry: &Entry<'_>) -> Option<(HttpRoute, usize)> {
    if entry.is_string() {
        let text = entry.string()?;
        return match check_route(&text.value) {
            Ok(()) => Some((HttpRoute::Public(text.value), text.line)),
            Err(problem) => {
                entry.refuse(format!("the route `{}` {problem}", text.value));
                None
            }
        };
    }
    if !entry.is_table() {
        entry.refuse("`route` must be a path such as \"/hello/...\", or { private = true }");
        return None;
    }
    let section = entry.section()?;
    section.keys(&["private"], &[]);
    match section.boolean("private") {
        Some(true) => Some((HttpRoute::Private, entry.line)),
        _ => {
            entry.refuse("`route` as a table must be { private = true }");
            None
        }
    }
}

/// Checks that a route is one of: exact segments, `:name` for one segment, and `/...` at the
/// end for any number of them.
pub(super) fn check_route(route: &str) -> Result<(), &'static str> {
    let Some(path) = route.strip_prefix('/') else {
        return Err("must begin with `/`");
    };
    let bad = |character: char| {
        character.is_whitespace() || character.is_control() || "?#*\\{}".contains(character)
    };
    if route.contains(bad) {
        return Err("may hold neither blanks nor any of ? # * \\ { }");
    }
    if path.is_empty() {
        return Ok(());
    }
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let mut names = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        if segment.is_empty() {
            return Err("has an empty segment");
        }
        if *segment == "..." {
            if index + 1 < segments.len() || path.ends_with('/') {
                return Err("may have `...` only as its last segment");
            }
        } else if segment.contains("...") {
            return Err("may have `...` only as a segment of its own");
        } else if matches!(*segment, "." | "..") {
            return Err("may not have `.` or `..` as a segment");
        } else if let Some(name) = segment.strip_prefix(':') {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            if name.is_empty() || !name.bytes().all(plain) {
                return Err("has a parameter without a plain name after its `:`");
            }
            if names.contains(&name) {
                return Err("has two parameters of the same name");
            }
            names.push(name);
        }
    }
    Ok(())
}

/// The route as it competes with others: parameters' names and a last `/` make no difference.
fn comparable(route: &str) -> String {
    let segments = route.split('/').filter(|segment| !segment.is_empty());
    let shape = segments.map(|segment| {
        if segment.starts_with(':') {
            ":"
        } else {
            segment
        }
    });
    shape.collect::<Vec<_>>().join("/")
}

fn cron_expression(entry: &Entry<'_>) -> Option<String> {
    let text = entry.string()?.value;
    let parser = CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Optional)
        .dom_and_dow(true)
        .build();
    match parser.parse(&text) {
        Ok(_) => Some(text),
        Err(error) => {
            entry.refuse(format!(
                "`{text}` is no cron expression ({error}); six fields are expected \
                 (second minute hour day month weekday), or seven with the year"
            ));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exact_parameter_and_prefix_routes_are_accepted() {
        for route in [
            "/",
            "/...",
            "/a",
            "/a/",
            "/a/:b",
            "/a/:b/c/...",
            "/.well-known/jwks.json",
            "/api/v1/bots/...",
        ] {
            assert_eq!(check_route(route), Ok(()), "{route}");
        }
    }

    #[test]
    fn malformed_routes_are_refused() {
        for route in [
            "", "a", "//", "/a//b", "/.../a", "/a...", "/.../", "/:", "/:a/:a", "/a b", "/a?b",
            "/*", "/..", "/a/./b",
        ] {
            assert!(check_route(route).is_err(), "{route}");
        }
    }

    #[test]
    fn routes_compare_by_shape() {
        assert_eq!(comparable("/a/:b"), comparable("/a/:c/"));
        assert_ne!(comparable("/a/:b"), comparable("/a/b"));
        assert_ne!(comparable("/a/..."), comparable("/a"));
    }

    proptest! {
        #[test]
        fn checking_never_panics(route in "\\PC{0,40}") {
            let _ = check_route(&route);
        }

        #[test]
        fn every_route_of_plain_segments_is_accepted(
            segments in proptest::collection::vec("[a-z0-9_-]{1,8}", 1..6), prefix: bool
        ) {
            let mut route = format!("/{}", segments.join("/"));
            if prefix {
                route.push_str("/...");
            }
            prop_assert_eq!(check_route(&route), Ok(()));
        }
    }
}
