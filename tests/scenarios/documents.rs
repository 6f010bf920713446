//! The documents name nothing that is not there, and their tables are made from the code.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml_edit::DocumentMut;
use vivesphere_domain::settings::table;
use vivesphere_tests::build::repository;

/// Set, it has the test write the tables instead of comparing.
const WRITE: &str = "WRITE_PHASE1";

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest() -> DocumentMut {
    read(&repository().join("spin.toml")).parse().unwrap()
}

fn description() -> Value {
    serde_json::from_str(&vivesphere_openapi::text().unwrap()).unwrap()
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn routes() -> String {
    let mut text =
        String::from("| route | component | who may call | what it does |\n|---|---|---|---|\n");
    let description = description();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let security = operation["security"].as_array().unwrap();
            let service_key = security.iter().any(|way| way.get("serviceKey").is_some());
            let who = match operation["x-permission"].as_str() {
                Some(permission) if service_key => format!("`{permission}`, the service key"),
                Some(permission) => format!("`{permission}`"),
                None if service_key => "the service key".to_owned(),
                None if security.is_empty() => "anyone".to_owned(),
                None => "whoever is signed in".to_owned(),
            };
            writeln!(
                text,
                "| `{} {path}` | {} | {who} | {} |",
                method.to_uppercase(),
                operation["tags"][0].as_str().unwrap(),
                cell(operation["summary"].as_str().unwrap())
            )
            .unwrap();
        }
    }
    text
}

/// The array of texts under a key; none when there is no such key.
fn texts(table: &toml_edit::Item, key: &str) -> Vec<String> {
    let array = table.get(key).and_then(|item| item.as_array());
    array
        .into_iter()
        .flatten()
        .map(|value| format!("`{}`", value.as_str().unwrap()))
        .collect()
}

fn components() -> String {
    let manifest = manifest();
    let secret = |name: &str| {
        let variable = manifest["variables"].get(name);
        variable.and_then(|variable| variable.get("secret")?.as_bool()) == Some(true)
    };
    let mut text = String::from(
        "| component | routes | database | may connect to | secrets it is given |\n|---|---|---|---|---|\n",
    );
    for (name, component) in manifest["component"].as_table().unwrap() {
        let mounted = manifest["trigger"]["http"].as_array_of_tables().unwrap();
        let mut mounted: Vec<String> = mounted
            .iter()
            .filter(|trigger| trigger["component"].as_str() == Some(name))
            .map(|trigger| match trigger["route"].as_str() {
                Some(route) => format!("`{route}`"),
                None => format!("none, only `{name}.spin.internal`"),
            })
            .collect();
        let scheduled = manifest["trigger"]["cron"].as_array_of_tables().unwrap();
        mounted.extend(
            scheduled
                .iter()
                .filter(|trigger| trigger["component"].as_str() == Some(name))
                .map(|trigger| {
                    format!(
                        "schedule `{}`",
                        trigger["cron_expression"].as_str().unwrap()
                    )
                }),
        );
        let given = component.get("variables").and_then(|item| item.as_table());
        let secrets: Vec<String> = given
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
            .filter(|name| secret(name))
            .map(|name| format!("`{name}`"))
            .collect();
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            mounted.join(", "),
            texts(component, "sqlite_databases").join(", "),
            texts(component, "allowed_outbound_hosts").join(", "),
            secrets.join(", ")
        )
        .unwrap();
    }
    text
}

fn jobs() -> String {
    let manifest = manifest();
    let mut text = String::from("| job | schedule | entry | worker |\n|---|---|---|---|\n");
    for trigger in manifest["trigger"]["cron"].as_array_of_tables().unwrap() {
        let component = trigger["component"].as_str().unwrap();
        let job = manifest["component"][component]["variables"]["job"].as_str();
        let job = job.unwrap();
        let entry = format!("/api/v1/jobs/{job}/run");
        let mounted = manifest["trigger"]["http"].as_array_of_tables().unwrap();
        let worker = mounted
            .iter()
            .find(|trigger| trigger["route"].as_str() == Some(&entry))
            .unwrap_or_else(|| panic!("nobody serves {entry}"));
        writeln!(
            text,
            "| {job} | `{}` | `POST {entry}` | {} |",
            trigger["cron_expression"].as_str().unwrap(),
            worker["component"].as_str().unwrap()
        )
        .unwrap();
    }
    text
}

fn variables() -> String {
    let mut text =
        String::from("| variable | default | secret | what it is |\n|---|---|:-:|---|\n");
    for variable in &vivesphere_variables::VARIABLES {
        let default = match variable.default {
            Some("") => "empty".to_owned(),
            Some(default) => format!("`{default}`"),
            None => "**required**".to_owned(),
        };
        let secret = if variable.secret { "●" } else { " " };
        writeln!(
            text,
            "| `{}` | {default} | {secret} | {} |",
            variable.name,
            cell(variable.description)
        )
        .unwrap();
    }
    text
}

fn settings() -> String {
    let mut text = String::from("| service | setting | unit | what it does |\n|---|---|---|---|\n");
    for setting in table::SETTINGS {
        writeln!(
            text,
            "| {} | `{}` | {} | {} |",
            setting.service,
            setting.name,
            setting.unit.unwrap_or_default(),
            cell(setting.description)
        )
        .unwrap();
    }
    text
}

fn scenarios() -> String {
    let folder = repository().join("tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut text = String::from("| module | what is tried |\n|---|---|\n");
    for file in files {
        let source = read(&file);
        let tests = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
        if !source.lines().any(tests) {
            continue;
        }
        let told = source
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .map(|line| line.trim_start_matches("//!").trim())
            .collect::<Vec<_>>()
            .join(" ");
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        writeln!(text, "| {name} | {} |", cell(&told)).unwrap();
    }
    text
}

#[test]
fn the_tables_say_what_the_code_says() {
    for (page, name, table) in [
        ("architecture", "components", components()),
        ("api-contracts", "routes", routes()),
        ("queue", "jobs", jobs()),
        ("gateway", "settings", settings()),
        ("security", "variables", variables()),
        ("test-summary", "scenarios", scenarios()),
    ] {
        let path = repository()
            .join("docs/phase1")
            .join(page)
            .with_extension("md");
        let text = read(&path);
        let (begin, end) = (
            format!("<!-- begin: {name} -->\n"),
            format!("<!-- end: {name} -->"),
        );
        let (before, rest) = text.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        let wanted = format!("{before}{begin}{table}{end}{after}");
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        assert!(
            read(&path) == wanted,
            "docs/phase1/{page}.md is out of date: run `{WRITE}=1 cargo test --package \
             vivesphere-tests --test scenarios -- documents::`"
        );
    }
}

fn documents() -> Vec<PathBuf> {
    let mut documents = vec![
        repository().join("README.md"),
        repository().join("deploy/README.md"),
    ];
    for folder in ["docs", "docs/phase1"] {
        for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "md") {
                documents.push(path);
            }
        }
    }
    documents
}

/// The text without fenced blocks, and what stands in backquotes.
fn code_spans(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|span| span.replace('\n', " "))
        .collect()
}

/// Whether a path of a document is one that the application serves; `<…>` stands for anything.
fn is_served(path: &str, known: &BTreeSet<String>) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let open = |segment: &str| segment.starts_with(['{', '<']);
    known.iter().any(|template| {
        let (mut one, mut other) = (template.split('/'), path.split('/'));
        loop {
            match (one.next(), other.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a == b || open(a) || open(b) => {}
                _ => return false,
            }
        }
    })
}

#[test]
fn every_path_and_route_that_a_document_names_is_there() {
    let description = description();
    let paths = description["paths"].as_object().unwrap();
    let mut known: BTreeSet<String> = paths.keys().cloned().collect();
    for trigger in manifest()["trigger"]["http"].as_array_of_tables().unwrap() {
        let Some(route) = trigger["route"].as_str() else {
            continue;
        };
        known.insert(route.trim_end_matches("/...").to_owned());
        known.insert(route.to_owned());
    }
    // The path under which all of them are, and a component's inner side.
    known.insert("/api/v1".to_owned());
    let top: BTreeSet<String> = std::fs::read_dir(repository())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "target")
        .collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = read(&document);
        let name = document
            .strip_prefix(repository())
            .unwrap()
            .display()
            .to_string();
        for span in code_spans(&text) {
            let word = span.split_whitespace().find(|word| word.starts_with('/'));
            if let Some(path) = word
                && (path.starts_with("/api/") || path.starts_with("/.well-known/"))
            {
                seen += 1;
                let method = span.split_whitespace().next().unwrap().to_lowercase();
                let item = paths.get(path.split('?').next().unwrap());
                if !is_served(path, &known) {
                    wrong.push(format!("{name}: no route {span}"));
                } else if ["get", "post", "put", "patch", "delete"].contains(&method.as_str())
                    && item.is_some_and(|item| item.get(&method).is_none())
                {
                    wrong.push(format!("{name}: no such method {span}"));
                }
                continue;
            }
            // `shared/http::serve` is a name in a crate.
            let span = span.split("::").next().unwrap_or_default();
            let first = span.split('/').next().unwrap_or_default();
            let is_path = span.contains('/')
                && top.contains(first)
                && !span.contains([' ', '<', '*', '{', '…', '$']);
            if is_path {
                seen += 1;
                if !repository().join(span.trim_end_matches('/')).exists() {
                    wrong.push(format!("{name}: no file {span}"));
                }
            }
        }
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            seen += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            if !path.exists() {
                wrong.push(format!("{name}: no file {target}"));
            } else if !heading.is_empty() && !has_heading(&read(&path), heading) {
                wrong.push(format!("{name}: no heading {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 150, "{seen}");
}

fn has_heading(text: &str, anchor: &str) -> bool {
    text.lines()
        .filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()))
        .any(|heading| {
            let kept: String = heading
                .chars()
                .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
                .collect();
            kept.to_lowercase().replace(' ', "-") == anchor
        })
}

#[test]
fn a_path_with_a_placeholder_fits_its_route_and_no_other() {
    let known = BTreeSet::from([
        "/api/v1/jobs/publish/run".to_owned(),
        "/api/v1/bots/{bot_id}".to_owned(),
    ]);
    for (path, served) in [
        ("/api/v1/jobs/<job>/run", true),
        ("/api/v1/bots/{id}", true),
        ("/api/v1/bots/{id}?x=1", true),
        ("/api/v1/bots", false),
        ("/api/v1/jobs/publish", false),
    ] {
        assert_eq!(is_served(path, &known), served, "{path}");
    }
}
