//! What the manifest says that this host does not do is refused, with key and line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test"
)]

use std::path::Path;

use vivesphere::manifest::Manifest;

const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"app\"\n";

fn parse(text: &str) -> Result<Manifest, String> {
    Manifest::parse(text.to_owned(), Path::new("/app/spin.toml"), None)
        .map_err(|refusals| refusals.to_string())
}

/// Parses the text after the usual head, which has three lines, so that its own lines are
/// counted from 4, and expects every part in the refusals.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    refused_whole(&format!("{HEAD}{text}"), expected);
}

#[track_caller]
fn refused_whole(text: &str, expected: &[&str]) {
    let message = parse(text).map(drop).expect_err("a refusal was expected");
    for part in expected {
        assert!(message.contains(part), "{part:?} is not in:\n{message}");
    }
}

/// A component `a` with these lines, which begin at line 8, and one route.
fn component(lines: &str) -> String {
    format!(
        "[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\n[component.a]\nsource = \"a.wasm\"\n{lines}\n"
    )
}

#[test]
fn other_versions_of_the_manifest() {
    refused_whole(
        "spin_manifest_version = 3\n",
        &["spin.toml:1: `spin_manifest_version` must be 2"],
    );
    refused_whole("spin_manifest_version = \"2\"\n", &["must be 2"]);
    refused_whole(
        "spin_version = \"1\"\nname = \"x\"\n",
        &["version 1", "`spin doctor`"],
    );
    refused_whole(
        "[application]\nname = \"x\"\n",
        &["`spin_manifest_version = 2` is missing"],
    );
}

#[test]
fn text_that_is_not_toml_or_names_a_table_twice() {
    refused("[trigger\n", &["spin.toml:4: not valid TOML"]);
    refused(
        "[trigger]\n[component.a]\nsource = \"a\"\n[component.a]\nsource = \"b\"\n",
        &["spin.toml:7: not valid TOML"],
    );
}

#[test]
fn keys_of_spin_that_this_host_does_not_serve() {
    refused(
        &component("ai_models = [\"llama2-chat\"]"),
        &["spin.toml:9: `component.a.ai_models` is not supported by this host; "],
    );
    refused(
        &component("targets = [\"spin-up:3.3\"]"),
        &["spin.toml:9: `component.a.targets` is not supported"],
    );
    refused(
        &component("allowed_http_hosts = []"),
        &["`allowed_outbound_hosts"],
    );
    refused(
        &component("dependencies_inherit_configuration = true"),
        &["is not supported"],
    );
    refused(
        &component("[component.a.dependencies]\n\"foo:bar\" = \"1\""),
        &["spin.toml:9: `component.a.dependencies` is not supported"],
    );
    refused(
        "[application.trigger.redis]\naddress = \"redis://x\"\n[trigger]\n",
        &["spin.toml:4: `application.trigger` is not supported"],
    );
    refused(
        "[[trigger.redis]]\nchannel = \"c\"\ncomponent = \"a\"\n",
        &[
            "spin.toml:4: `trigger.redis` is not supported",
            "`http` and `cron`",
        ],
    );
    refused(
        "[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\nexecutor = { type = \"wagi\" }\n[component.a]\nsource = \"a\"\n",
        &["spin.toml:7: `trigger.http.executor` is not supported"],
    );
    refused(
        "[[trigger.http]]\nroute = \"/\"\nstatic_response = { body = \"x\" }\n",
        &["`trigger.http.static_response` is not supported"],
    );
    refused(
        "[[trigger.http]]\nroute = \"/\"\ncomponent = \"a\"\ncomponents.middleware = [\"b\"]\n[component.a]\nsource = \"a\"\n",
        &["`trigger.http.components` is not supported"],
    );
}

#[test]
fn sources_that_would_have_to_be_downloaded() {
    refused(
        "[trigger]\n[component.a]\nsource = { url = \"https://example.com/a.wasm\", digest = \"sha256:00\" }\n",
        &[
            "spin.toml:6: `component.a.source`",
            "download the component",
        ],
    );
    refused(
        "[trigger]\n[component.a]\nsource = \"\"\n",
        &["`component.a.source` is empty"],
    );
    refused(
        "[trigger]\n[component.a]\n",
        &["spin.toml:5: `source` is missing in `component.a`"],
    );
}

#[test]
fn mistyped_keys_with_the_one_that_was_meant() {
    refused(
        &component("sqlite_database = [\"default\"]"),
        &[
            "spin.toml:9: unknown key `component.a.sqlite_database`; did you mean `sqlite_databases`?",
        ],
    );
    refused(
        &component("build.comand = \"make\""),
        &[
            "did you mean `command`?",
            "`command` is missing in `component.a.build`",
        ],
    );
    refused("[variable]\n[trigger]\n", &["did you mean `variables`?"]);
    refused(
        "[trigger]\n[[trigger.htp]]\n",
        &["unknown key `trigger.htp`; did you mean `http`?"],
    );
    refused(
        "[trigger]\n[variables]\na = { defualt = \"x\" }\n",
        &["did you mean `default`?"],
    );
    refused(
        "[trigger]\n[zebra]\n",
        &["unknown key `zebra`; known here: spin_manifest_version"],
    );
}

#[test]
fn values_of_the_wrong_type() {
    refused(
        &component("files = \"a\""),
        &["spin.toml:9: `component.a.files` must be an array"],
    );
    refused(
        &component("key_value_stores = [1]"),
        &["`component.a.key_value_stores` must be a string"],
    );
    refused(
        &component("variables = { a = 1 }"),
        &["`component.a.variables.a` must be a string"],
    );
    refused(
        "[trigger]\n[variables]\na = \"x\"\n",
        &["spin.toml:6: `variables.a` must be a table"],
    );
    refused(
        "[trigger]\n[variables]\na = { required = \"yes\" }\n",
        &["must be true or false"],
    );
    refused(
        "[trigger]\n[component]\na = 1\n",
        &["`component.a` must be a table"],
    );
}

#[test]
fn variables_that_are_neither_required_nor_have_a_default() {
    refused(
        "[trigger]\n[variables]\na = { secret = true }\n",
        &["spin.toml:6: `variables.a` needs either"],
    );
    refused(
        "[trigger]\n[variables]\na = { required = true, default = \"x\" }\n",
        &["needs either"],
    );
    refused(
        "[trigger]\n[variables]\nA-b = { default = \"x\" }\n",
        &["`A-b` is no variable's name"],
    );
}

#[test]
fn templates_that_name_nothing_or_are_malformed() {
    refused(
        &component("variables = { a = \"{{ missing }}\" }"),
        &["spin.toml:9: `{{ missing }}` is not declared in [variables]"],
    );
    refused(
        &component("allowed_outbound_hosts = [\"https://{{ missing }}\"]"),
        &["`{{ missing }}` is not declared"],
    );
    refused(
        &component("allowed_outbound_hosts = [\n\"https://a\",\n\"https://{{ a\"\n]"),
        &["spin.toml:11: malformed template"],
    );
    refused(
        &component("variables = { B = \"x\" }"),
        &["`B` is no variable's name"],
    );
}

#[test]
fn ids_labels_and_references() {
    refused(
        "[trigger]\n[component.a_b]\nsource = \"a\"\n",
        &["spin.toml:5: `a_b` is no component's id"],
    );
    refused(
        "[[trigger.http]]\nroute = \"/\"\ncomponent = \"bots\"\n[component.bot]\nsource = \"a\"\n",
        &["spin.toml:6: there is no component `bots`; did you mean `bot`?"],
    );
    refused(
        "[[trigger.http]]\nroute = \"/\"\n",
        &["spin.toml:4: `component` is missing in `trigger.http`"],
    );
    refused(
        &component("key_value_stores = [\"default\", \"default\"]"),
        &["`default` stands twice"],
    );
    refused(
        &component("sqlite_databases = [\"My DB\"]"),
        &["`My DB` in `sqlite_databases` is no label"],
    );
    refused(
        "[[trigger.http]]\nid = \"t\"\nroute = \"/\"\ncomponent = \"a\"\n[[trigger.cron]]\nid = \"t\"\ncron_expression = \"* * * * * *\"\ncomponent = \"a\"\n[component.a]\nsource = \"a\"\n",
        &["spin.toml:9: the trigger id `t` is already taken in line 5"],
    );
    refused("", &["`trigger` is missing"]);
}

#[test]
fn routes_that_are_malformed_or_taken() {
    let route = |value: &str| {
        format!(
            "[[trigger.http]]\nroute = {value}\ncomponent = \"a\"\n[component.a]\nsource = \"a\"\n"
        )
    };
    refused(
        &route("\"hello\""),
        &["spin.toml:5: the route `hello` must begin with `/`"],
    );
    refused(&route("\"/.../x\""), &["only as its last segment"]);
    refused(
        &route("{ private = false }"),
        &["must be { private = true }"],
    );
    refused(&route("{ privat = true }"), &["did you mean `private`?"]);
    refused(&route("7"), &["`route` must be a path"]);
    refused(
        "[[trigger.http]]\ncomponent = \"a\"\n[component.a]\nsource = \"a\"\n",
        &["`route` is missing"],
    );
    refused(
        "[[trigger.http]]\nroute = \"/a/:x\"\ncomponent = \"a\"\n[[trigger.http]]\nroute = \"/a/:y\"\ncomponent = \"a\"\n[component.a]\nsource = \"a\"\n",
        &["spin.toml:8: the route `/a/:y` is already taken in line 5"],
    );
}

#[test]
fn cron_expressions_without_seconds() {
    let cron = |value: &str| {
        format!(
            "[[trigger.cron]]\ncron_expression = {value}\ncomponent = \"a\"\n[component.a]\nsource = \"a\"\n"
        )
    };
    refused(
        &cron("\"* * * * *\""),
        &[
            "spin.toml:5: `* * * * *` is no cron expression",
            "six fields",
        ],
    );
    refused(&cron("\"61 * * * * *\""), &["is no cron expression"]);
    for good in [
        "\"*/5 * * * * *\"",
        "\"0 0 9 * * MON-FRI\"",
        "\"0 0 9 1 1 * 2027\"",
    ] {
        parse(&format!("{HEAD}{}", cron(good))).unwrap();
    }
}

#[test]
fn files_that_leave_the_folder() {
    refused(
        &component("files = [\"../secret\"]"),
        &["spin.toml:9: `../secret` in `files` must be relative"],
    );
    refused(&component("files = [\"/etc/*\"]"), &["must be relative"]);
    refused(&component("files = [\"a[\"]"), &["is no pattern"]);
    refused(
        &component("files = [{ source = \"a\" }]"),
        &["`destination` is missing"],
    );
    refused(
        &component("files = [{ source = \"a\", destination = \"b\" }]"),
        &["must be an absolute path"],
    );
    refused(
        &component("exclude_files = [\"a[\"]"),
        &["`a[` in `exclude_files` is no pattern"],
    );
}

#[test]
fn a_profile_that_is_malformed_even_when_it_is_not_chosen() {
    refused(
        &component("[component.a.profile.debug]\nsorce = \"b.wasm\""),
        &["did you mean `source`?"],
    );
    refused(
        &component("[component.a.profile.debug.build]\nworkdir = \"b\""),
        &["`component.a.profile.debug.build.workdir` is not supported"],
    );
    let text = format!("{HEAD}{}", component(""));
    let error = Manifest::parse(text, Path::new("/app/spin.toml"), Some("debgu")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no component has a profile `debgu`"),
        "{error}"
    );
}

#[test]
fn everything_that_is_wrong_is_named_at_once_in_the_order_of_lines() {
    let text = format!("{HEAD}{}", component("ai_models = [\"x\"]\nfilez = []"));
    let message = parse(&text).unwrap_err();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{message}");
    assert!(
        lines[0].starts_with("spin.toml:9: ") && lines[1].starts_with("spin.toml:10: "),
        "{message}"
    );
}
