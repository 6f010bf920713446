//! What the manifest says is what runs: components, grants, templates, files, profiles.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use vivesphere::application::{Application, HttpRoute};
use vivesphere::manifest::Manifest;

const WHOLE: &str = r#"
spin_manifest_version = 2

[application]
name = "whole"
version = "1.2.3"
description = "Everything that this host reads."
authors = ["A <a@example.com>"]
[application.tool.anything]
key = 1

[variables]
host = { default = "example.com" }
password = { required = true, secret = true, description = "Given." }

[[trigger.http]]
id = "front"
route = "/front/..."
component = "front"

[[trigger.http]]
route = { private = true }
component = "back"

[[trigger.http]]
route = "/inline/:id"
component = { source = "inline.wasm", key_value_stores = ["default"] }

[[trigger.cron]]
component = "tick"
cron_expression = "*/5 * * * * *"

[component.front]
description = "The front."
source = "front.wasm"
allowed_outbound_hosts = ["https://{{ host }}", "http://back.spin.internal"]
key_value_stores = ["default", "my-store", "old_store"]
sqlite_databases = ["default"]
environment = { A = "1", B = "2" }
files = ["assets/*.txt", { source = "static", destination = "/public" }]
exclude_files = ["assets/secret*"]
[component.front.variables]
url = "https://user:{{ password }}@{{ host }}/"
plain = "{{host}}"
[component.front.build]
command = "make front"
workdir = "front"
watch = ["src/**/*.rs"]
[component.front.profile.debug]
source = "front-debug.wasm"
environment = { B = "3" }
build.command = ["make debug", "make more"]
[component.front.tool.bindle]
anything = true

[component.back]
source = "back.wasm"

[component.tick]
source = "back.wasm"

[component.unused]
source = "not-there.wasm"
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["front.wasm", "front-debug.wasm", "back.wasm", "inline.wasm"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    for name in [
        "assets/a.txt",
        "assets/b.txt",
        "assets/secret.txt",
        "assets/c.md",
        "static/deep/page.html",
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    std::fs::write(folder.path().join("spin.toml"), WHOLE).unwrap();
    folder
}

fn values() -> BTreeMap<String, String> {
    let pairs = [("host", "example.org"), ("password", "secret")];
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn load(folder: &Path, profile: Option<&str>) -> Application {
    Manifest::read(folder, profile)
        .unwrap()
        .application(&values(), &BTreeMap::new())
        .unwrap()
}

#[test]
fn the_application_is_what_the_manifest_says() {
    let folder = folder();
    let application = load(folder.path(), None);
    assert_eq!(
        (application.name.as_str(), application.version.as_str()),
        ("whole", "1.2.3")
    );
    let ids: Vec<&str> = application.components.keys().map(String::as_str).collect();
    assert_eq!(ids, ["back", "front", "http-trigger-3-component", "tick"]);
    let routes: Vec<&HttpRoute> = application
        .http_triggers
        .iter()
        .map(|trigger| &trigger.route)
        .collect();
    assert_eq!(
        routes,
        [
            &HttpRoute::Public("/front/...".into()),
            &HttpRoute::Private,
            &HttpRoute::Public("/inline/:id".into())
        ]
    );
    assert_eq!(application.cron_triggers[0].expression, "*/5 * * * * *");

    let front = &application.components["front"];
    assert_eq!(front.source, folder.path().join("front.wasm"));
    assert_eq!(front.variables["url"], "https://user:secret@example.org/");
    assert_eq!(front.variables["plain"], "example.org");
    assert_eq!(front.secret_variables, ["url"]);
    assert_eq!(
        front.allowed_outbound_hosts,
        ["https://example.org", "http://back.spin.internal"]
    );
    assert_eq!(front.key_value_stores, ["default", "my-store", "old_store"]);
    assert_eq!(front.sqlite_databases, ["default"]);
    let back = &application.components["back"];
    assert!(back.variables.is_empty() && back.allowed_outbound_hosts.is_empty());
    assert!(
        back.key_value_stores.is_empty()
            && back.sqlite_databases.is_empty()
            && back.files.is_empty()
    );
}

#[test]
fn files_are_found_under_their_own_path_or_placed_without_the_excluded() {
    let folder = folder();
    let files = &load(folder.path(), None).components["front"].files;
    let guest: Vec<&str> = files.iter().map(|(_, guest)| guest.as_str()).collect();
    assert_eq!(
        guest,
        ["/assets/a.txt", "/assets/b.txt", "/public/deep/page.html"]
    );
    assert!(
        files
            .iter()
            .all(|(host, _)| host.is_absolute() && host.is_file())
    );
}

#[test]
fn a_pattern_or_source_that_matches_nothing_is_refused() {
    let folder = folder();
    std::fs::remove_dir_all(folder.path().join("static")).unwrap();
    let manifest = Manifest::read(folder.path(), None).unwrap();
    let error = format!(
        "{:#}",
        manifest
            .application(&values(), &BTreeMap::new())
            .unwrap_err()
    );
    assert!(
        error.contains("component `front`: `static` in `files` does not exist"),
        "{error}"
    );
    for name in ["a", "b", "secret"] {
        std::fs::remove_file(folder.path().join(format!("assets/{name}.txt"))).unwrap();
    }
    let error = format!(
        "{:#}",
        manifest
            .application(&values(), &BTreeMap::new())
            .unwrap_err()
    );
    assert!(
        error.contains("`assets/*.txt` in `files` matches nothing"),
        "{error}"
    );
}

#[test]
fn a_profile_overrides_source_environment_and_command() {
    let folder = folder();
    let plain = Manifest::read(folder.path(), None).unwrap();
    let debug = Manifest::read(folder.path(), Some("debug")).unwrap();
    let build = |manifest: &Manifest| manifest.components["front"].build.clone().unwrap();
    assert_eq!(build(&plain).commands, ["make front"]);
    assert_eq!(build(&debug).commands, ["make debug", "make more"]);
    assert_eq!(build(&debug).workdir, folder.path().join("front"));
    let front = &load(folder.path(), Some("debug")).components["front"];
    assert_eq!(front.source, folder.path().join("front-debug.wasm"));
    assert_eq!(
        (
            front.environment["A"].as_str(),
            front.environment["B"].as_str()
        ),
        ("1", "3")
    );
}

#[test]
fn the_command_lines_environment_reaches_every_component() {
    let folder = folder();
    let manifest = Manifest::read(folder.path(), None).unwrap();
    let environment = BTreeMap::from([("B".to_owned(), "9".to_owned())]);
    let application = manifest.application(&values(), &environment).unwrap();
    assert_eq!(application.components["front"].environment["A"], "1");
    assert!(
        application
            .components
            .values()
            .all(|component| component.environment["B"] == "9")
    );
}

#[test]
fn components_that_are_not_built_are_named_with_the_way_out() {
    let folder = folder();
    std::fs::remove_file(folder.path().join("back.wasm")).unwrap();
    let manifest = Manifest::read(folder.path(), None).unwrap();
    let error = manifest
        .application(&values(), &BTreeMap::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("  back: ") && error.contains("  tick: ") && error.contains("up --build"),
        "{error}"
    );
    assert!(!error.contains("unused"), "{error}");
}

#[test]
fn a_manifest_that_is_not_there_says_how_to_name_one() {
    let error = Manifest::read(Path::new("/no/such/spin.toml"), None).unwrap_err();
    assert!(format!("{error:#}").contains("--from FILE"), "{error:#}");
}

#[test]
fn the_manifest_of_this_project_is_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = Manifest::read(&root, None).unwrap();
    assert_eq!(manifest.name, "vivesphere");
    assert!(manifest.components.contains_key("auth") && !manifest.cron_triggers.is_empty());
}

proptest! {
    #[test]
    fn reading_never_panics(lines in proptest::collection::vec(
        prop_oneof![
            Just("spin_manifest_version = 2".to_owned()),
            Just("[application]".to_owned()),
            Just("[variables]".to_owned()),
            Just("[[trigger.http]]".to_owned()),
            Just("[component.a]".to_owned()),
            Just("component = { source = 1 }".to_owned()),
            Just("source = \"a\"".to_owned()),
            "[a-z_.]{1,12} = (\"[a-z{}/.:]{0,8}\"|1|true|\\[\\]|\\{\\})",
        ],
        0..12,
    )) {
        let _ = Manifest::parse(lines.join("\n"), Path::new("/app/spin.toml"), None);
    }
}
