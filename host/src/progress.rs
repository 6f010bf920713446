//! What the host tells a person while it works, and once it is ready.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;

use crate::application::{Application, HttpRoute};
use crate::secrets::Generated;

/// Tells steps on standard error, in cargo's manner; nothing when quiet.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    quiet: bool,
}

impl Progress {
    /// `quiet` silences everything.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Whether nothing is told.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// A step that begins now, such as `Building` the components.
    pub fn step(self, verb: &str, what: &str) {
        if !self.quiet {
            // A reader that left is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{verb:>12} {what}");
        }
    }
}

/// Where the application is reached: a listener on every address is reached on the loopback.
pub fn base_url(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{address}")
}

/// The report of a start: routes, schedules, and where to look.
pub fn ready_report(application: &Application, address: SocketAddr) -> String {
    let mut report = String::new();
    let routes = application.http_triggers.iter().map(|trigger| {
        let route = match &trigger.route {
            HttpRoute::Public(route) => route.as_str(),
            HttpRoute::Private => "(private)",
        };
        (route, trigger.component.as_str())
    });
    table(&mut report, "Route", routes.collect());
    let schedules = application.cron_triggers.iter();
    table(
        &mut report,
        "Schedule",
        schedules
            .map(|trigger| (trigger.expression.as_str(), trigger.component.as_str()))
            .collect(),
    );
    let base = base_url(address);
    let places = places(application, &base);
    let _ = match places.is_empty() {
        true => writeln!(report, "ViveSphere is ready at {base} (Ctrl-C stops it)"),
        false => writeln!(
            report,
            "ViveSphere is ready at {base} ({places}; Ctrl-C stops it)"
        ),
    };
    report
}

fn table(report: &mut String, title: &str, rows: Vec<(&str, &str)>) {
    if rows.is_empty() {
        return;
    }
    let lengths = rows.iter().map(|(left, _)| left.chars().count());
    let width = lengths.max().unwrap_or(0).max(title.len());
    let _ = writeln!(report, "  {title:width$}  Component");
    for (left, right) in rows {
        let _ = writeln!(report, "  {left:width$}  {right}");
    }
    report.push('\n');
}

/// The public routes that a newcomer looks at first, by their last name.
fn places(application: &Application, base: &str) -> String {
    let find = |name: &str| {
        let routes = application
            .http_triggers
            .iter()
            .filter_map(|trigger| match &trigger.route {
                HttpRoute::Public(route) => Some(route.trim_end_matches("/...")),
                HttpRoute::Private => None,
            });
        let mut named: Vec<&str> = routes
            .filter(|route| route.rsplit('/').next() == Some(name))
            .collect();
        named.sort_by_key(|route| route.len());
        named.first().map(|route| format!("{name}: {base}{route}"))
    };
    let found: Vec<String> = ["health", "docs"].into_iter().filter_map(find).collect();
    found.join(", ")
}

/// What a person must know after secrets were made: shown once, never logged.
pub fn secrets_report(generated: &Generated, username: &str, dotenv: &std::path::Path) -> String {
    let mut report = format!(
        "First start: {} written to {} (mode 0600; keep it, and keep it private).\n",
        generated.names.join(", "),
        dotenv.display()
    );
    if let Some(password) = &generated.admin_password {
        let password = password.expose();
        let _ = writeln!(
            report,
            "Sign in as `{username}` with the password {password}  (shown once)"
        );
        if generated.database_existed {
            report.push_str(
                "There is a database already: an administrator in it keeps the old password.\n",
            );
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{CronTrigger, HttpTrigger};

    #[test]
    fn the_report_lists_routes_schedules_and_where_to_look() {
        let route = |component: &str, route: HttpRoute| HttpTrigger {
            component: component.into(),
            route,
        };
        let application = Application {
            name: "a".into(),
            version: String::new(),
            components: std::collections::BTreeMap::new(),
            http_triggers: vec![
                route("auth", HttpRoute::Public("/api/v1/auth/...".into())),
                route("health", HttpRoute::Public("/api/v1/health/...".into())),
                route("inner", HttpRoute::Private),
            ],
            cron_triggers: vec![CronTrigger {
                component: "tick".into(),
                expression: "*/5 * * * * *".into(),
            }],
        };
        let report = ready_report(&application, "0.0.0.0:3000".parse().unwrap());
        assert!(report.contains("  /api/v1/auth/...    auth\n"), "{report}");
        assert!(report.contains("  (private)           inner\n"), "{report}");
        assert!(report.contains("  */5 * * * * *  tick\n"), "{report}");
        assert!(report.contains("ViveSphere is ready at http://127.0.0.1:3000 (health: http://127.0.0.1:3000/api/v1/health;"), "{report}");
    }

    #[test]
    fn addresses_of_every_interface_are_reached_on_the_loopback() {
        assert_eq!(base_url("[::]:80".parse().unwrap()), "http://[::1]:80");
        assert_eq!(
            base_url("10.0.0.1:80".parse().unwrap()),
            "http://10.0.0.1:80"
        );
    }
}
