//! The manifest grants each component what it needs and nothing more. A wider grant fails here
//! and has to be argued for in this table.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{DocumentMut, Item, Table};
use vivesphere_tests::build::repository;

struct Grant {
    variables: &'static [&'static str],
    databases: &'static [&'static str],
    hosts: &'static [&'static str],
}

const DEFAULT: &[&str] = &["default"];

fn expected() -> BTreeMap<&'static str, Grant> {
    let scheduler = Grant {
        variables: &["job", "jobs_base_url", "service_key"],
        databases: &[],
        hosts: &["{{ jobs_base_url }}"],
    };
    let scheduler = || Grant { ..scheduler };
    BTreeMap::from([
        (
            "auth",
            Grant {
                variables: &[
                    "access_token_seconds",
                    "bootstrap_admin_password",
                    "bootstrap_admin_username",
                    "jwt_signing_key",
                    "rate_limit_per_minute",
                    "refresh_token_days",
                    "service_key",
                ],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "bots",
            Grant {
                variables: &[
                    "public_base_url",
                    "rate_limit_per_minute",
                    "service_key",
                    "x_api_base_url",
                    "x_authorize_url",
                    "x_client_id",
                    "x_client_secret",
                    "x_request_timeout_seconds",
                ],
                databases: DEFAULT,
                hosts: &["http://botdata.spin.internal", "{{ x_api_base_url }}"],
            },
        ),
        (
            "posts",
            Grant {
                variables: &["rate_limit_per_minute"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "botdata",
            Grant {
                variables: &[
                    "rate_limit_per_minute",
                    "service_key",
                    "vault_key",
                    "vault_key_previous",
                ],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "personas",
            Grant {
                variables: &["rate_limit_per_minute"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "config",
            Grant {
                variables: &[
                    "publish_lease_seconds",
                    "publish_max_attempts",
                    "publish_reconcile_delay_seconds",
                    "rate_limit_per_minute",
                ],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "publisher",
            Grant {
                variables: &[
                    "publish_lease_seconds",
                    "publish_max_attempts",
                    "publish_reconcile_delay_seconds",
                    "rate_limit_per_minute",
                    "service_key",
                    "x_api_base_url",
                    "x_request_timeout_seconds",
                ],
                databases: DEFAULT,
                hosts: &["http://bots.spin.internal", "{{ x_api_base_url }}"],
            },
        ),
        (
            "collector",
            Grant {
                variables: &[
                    "rate_limit_per_minute",
                    "service_key",
                    "x_api_base_url",
                    "x_request_timeout_seconds",
                ],
                databases: DEFAULT,
                hosts: &["http://bots.spin.internal", "{{ x_api_base_url }}"],
            },
        ),
        (
            "metrics",
            Grant {
                variables: &["rate_limit_per_minute", "service_key"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "health",
            Grant {
                variables: &["rate_limit_per_minute"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "roles",
            Grant {
                variables: &["rate_limit_per_minute"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "docs",
            Grant {
                variables: &["rate_limit_per_minute"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "logs",
            Grant {
                variables: &["rate_limit_per_minute"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "access-keys",
            Grant {
                variables: &["rate_limit_per_minute"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "log-writer",
            Grant {
                variables: &["rate_limit_per_minute", "service_key"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "audit",
            Grant {
                variables: &["rate_limit_per_minute"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "apikeys",
            Grant {
                variables: &[
                    "anthropic_api_base_url",
                    "google_api_base_url",
                    "mistral_api_base_url",
                    "openai_api_base_url",
                    "openrouter_api_base_url",
                    "rate_limit_per_minute",
                    "service_key",
                ],
                databases: DEFAULT,
                hosts: &[
                    "http://botdata.spin.internal",
                    "{{ anthropic_api_base_url }}",
                    "{{ google_api_base_url }}",
                    "{{ mistral_api_base_url }}",
                    "{{ openai_api_base_url }}",
                    "{{ openrouter_api_base_url }}",
                ],
            },
        ),
        (
            "trends",
            Grant {
                variables: &["rate_limit_per_minute", "scrape_allow_private_addresses"],
                databases: DEFAULT,
                hosts: &[],
            },
        ),
        (
            "scraper",
            Grant {
                variables: &[
                    "hacker_news_base_url",
                    "public_base_url",
                    "rate_limit_per_minute",
                    "scrape_allow_private_addresses",
                    "service_key",
                    "x_api_base_url",
                    "x_app_bearer_token",
                    "x_request_timeout_seconds",
                ],
                databases: DEFAULT,
                hosts: &["http://*:*", "http://parser.spin.internal", "https://*:*"],
            },
        ),
        // What takes strangers' documents apart has nothing that could be taken from it.
        (
            "parser",
            Grant {
                variables: &[],
                databases: &[],
                hosts: &[],
            },
        ),
        ("schedule-collect", scheduler()),
        ("schedule-drain-logs", scheduler()),
        ("schedule-scrape", scheduler()),
        ("schedule-publish", scheduler()),
        ("schedule-rotate-keys", scheduler()),
        ("schedule-expire", scheduler()),
    ])
}

fn manifest() -> DocumentMut {
    let text = std::fs::read_to_string(repository().join("spin.toml")).unwrap();
    text.parse().unwrap()
}

fn texts(item: Option<&Item>) -> BTreeSet<String> {
    let array = item.and_then(Item::as_array).into_iter().flatten();
    array
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

fn variables(component: &Table) -> Vec<(&str, &Item)> {
    let given = component.get("variables").and_then(Item::as_table_like);
    given.into_iter().flat_map(|table| table.iter()).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn every_component_has_exactly_its_grants() {
    let manifest = manifest();
    let components = manifest["component"].as_table().unwrap();
    let mut expected = expected();
    for (name, component) in components {
        let component = component.as_table().unwrap();
        let Some(grant) = expected.remove(name) else {
            panic!("{name} is not in the table");
        };
        for (key, _) in component {
            let known = [
                "source",
                "description",
                "build",
                "variables",
                "sqlite_databases",
                "allowed_outbound_hosts",
            ];
            assert!(known.contains(&key), "{name} has {key}");
        }
        assert_eq!(
            texts(component.get("sqlite_databases")),
            set(grant.databases),
            "{name}"
        );
        assert_eq!(
            texts(component.get("allowed_outbound_hosts")),
            set(grant.hosts),
            "{name}"
        );
        let variables = variables(component);
        let names: BTreeSet<String> = variables.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(names, set(grant.variables), "{name}");
        // A grant under another name would be a grant all the same.
        for (key, value) in variables {
            let value = value.as_str().unwrap();
            if key == "job" {
                assert_eq!(format!("schedule-{value}"), name);
            } else {
                assert_eq!(value, format!("{{{{ {key} }}}}"), "{name}");
            }
        }
    }
    assert_eq!(
        expected.keys().collect::<Vec<_>>(),
        [""; 0].iter().collect::<Vec<_>>()
    );
}

#[test]
fn the_keys_have_one_holder_each() {
    let manifest = manifest();
    for (secret, holder) in [
        ("vault_key", "botdata"),
        ("vault_key_previous", "botdata"),
        ("jwt_signing_key", "auth"),
        ("bootstrap_admin_password", "auth"),
        ("x_client_secret", "bots"),
        ("x_app_bearer_token", "scraper"),
    ] {
        let mut holders = Vec::new();
        for (name, component) in manifest["component"].as_table().unwrap() {
            let variables = variables(component.as_table().unwrap());
            let reads = |value: &str| value.contains(&format!("{{{{ {secret} }}}}"));
            if variables
                .iter()
                .any(|(_, value)| reads(value.as_str().unwrap_or_default()))
            {
                holders.push(name);
            }
        }
        assert_eq!(holders, [holder], "{secret}");
        assert_eq!(
            manifest["variables"][secret]["secret"].as_bool(),
            Some(true),
            "{secret}"
        );
    }
}

#[test]
fn only_the_scraper_reaches_the_open_web() {
    let manifest = manifest();
    for (name, component) in manifest["component"].as_table().unwrap() {
        let hosts = texts(component.get("allowed_outbound_hosts"));
        let open = hosts.iter().any(|host| host.contains('*'));
        assert_eq!(open, name == "scraper", "{name}: {hosts:?}");
    }
}

#[test]
fn only_the_scraper_reaches_the_parser() {
    let manifest = manifest();
    for (name, component) in manifest["component"].as_table().unwrap() {
        let hosts = texts(component.get("allowed_outbound_hosts"));
        let reaches = hosts
            .iter()
            .any(|host| host.contains("parser") || host.contains("self") || host.contains('*'));
        assert_eq!(reaches, name == "scraper", "{name}: {hosts:?}");
    }
}

#[test]
fn only_what_is_meant_for_the_outside_has_a_route() {
    let manifest = manifest();
    for trigger in manifest["trigger"]["http"].as_array_of_tables().unwrap() {
        let Some(route) = trigger["route"].as_str() else {
            let private = trigger["route"]["private"].as_bool();
            assert_eq!(private, Some(true));
            assert_eq!(trigger["component"].as_str(), Some("parser"));
            continue;
        };
        assert!(
            route.starts_with("/api/v1/")
                || ["/:well_known/jwks.json", "/docs/...", "/..."].contains(&route),
            "{route}"
        );
        // What has no place elsewhere leads to who has no secrets.
        assert!(route != "/..." || trigger["component"].as_str() == Some("docs"));
        assert!(!route.contains("internal"), "{route}");
        // Spin's order of routes has no certain place for it, nor for others beside it.
        assert!(route == "/..." || !route.starts_with("/."), "{route}");
    }
    let scheduled: Vec<&str> = manifest["trigger"]["cron"]
        .as_array_of_tables()
        .unwrap()
        .iter()
        .map(|trigger| trigger["component"].as_str().unwrap())
        .collect();
    assert!(scheduled.iter().all(|name| name.starts_with("schedule-")));
}
