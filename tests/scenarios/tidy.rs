//! The rules of the house that a machine can see.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;
use vivesphere_tests::build::repository;

/// Past about 400 lines a file holds two things.
const LINES: usize = 450;

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || ["target", ".git", ".spin", "deps"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn files(folder: &str, kinds: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(&repository().join(folder), &mut files);
    files.retain(|file| {
        kinds
            .iter()
            .any(|kind| file.extension().is_some_and(|of| of == *kind))
    });
    files
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned()
}

/// The crates of a folder, with what they depend on outside of tests.
fn crates(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut crates = BTreeMap::new();
    for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let manifest = path.join("Cargo.toml");
        if manifest.is_file() {
            let manifest: DocumentMut = read(&manifest).parse().unwrap();
            let names = manifest
                .get("dependencies")
                .and_then(|item| item.as_table_like())
                .into_iter()
                .flat_map(|table| {
                    table
                        .iter()
                        .map(|(name, _)| name.to_owned())
                        .collect::<Vec<_>>()
                })
                .collect();
            crates.insert(
                path.file_name().unwrap().to_string_lossy().into_owned(),
                names,
            );
        }
    }
    assert!(!crates.is_empty());
    crates
}

#[test]
fn no_file_holds_two_things() {
    let long: Vec<String> = files(".", &["rs"])
        .iter()
        .map(|file| (file, read(file).lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(file, lines)| format!("{}: {lines}", file.display()))
        .collect();
    assert!(long.is_empty(), "more than {LINES} lines: {long:#?}");
}

#[test]
fn every_crate_says_what_it_owns() {
    for folder in [
        "components",
        "shared",
        "shared/crypto",
        "benchmark/components",
        "tests/fixtures",
    ] {
        for name in crates(folder).keys() {
            let readme = repository().join(folder).join(name).join("README.md");
            assert!(readme.is_file(), "{folder}/{name} has no README.md");
            assert!(
                read(&readme).lines().count() >= 3,
                "{folder}/{name}/README.md says nothing"
            );
        }
    }
    for folder in [
        "benchmark",
        "host",
        "host/up",
        "host/wasi",
        "migrations",
        "openapi",
        "tests",
    ] {
        assert!(
            repository().join(folder).join("README.md").is_file(),
            "{folder} has no README.md"
        );
    }
}

#[test]
fn a_component_is_a_folder_a_manifest_entry_and_a_build() {
    let text = read(&repository().join("spin.toml"));
    for name in crates("components").keys() {
        // cargo writes a library's file with underscores.
        let file = name.replace('-', "_");
        assert!(
            text.contains(&format!("target/wasm32-wasip2/release/{file}.wasm")),
            "{name} is not in spin.toml"
        );
        assert!(
            repository()
                .join("components")
                .join(name)
                .join("src/lib.rs")
                .is_file()
        );
    }
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("variables", &[][..]),
        ("config", &["variables"]),
        ("crypto", &["variables"]),
        ("db", &["crypto"]),
        ("feeds", &[]),
        ("tokens", &["crypto"]),
        ("domain", &["feeds", "db", "tokens", "crypto"]),
        ("x-api", &["crypto"]),
        ("settings", &["domain", "db", "config"]),
        (
            "http",
            &["settings", "domain", "db", "tokens", "crypto", "config"],
        ),
        ("api", &["http", "domain"]),
    ]);
    for (name, dependencies) in crates("shared").into_iter().chain(crates("shared/crypto")) {
        let Some(allowed) = allowed.get(name.as_str()) else {
            panic!("shared/{name} has no place in the order yet");
        };
        for dependency in &dependencies {
            if let Some(inner) = dependency.strip_prefix("vivesphere-") {
                assert!(allowed.contains(&inner), "shared/{name} depends on {inner}");
            }
        }
        if name == "domain" {
            for outer in ["http", "spin-sdk", "hyper", "axum", "reqwest"] {
                assert!(!dependencies.contains(outer), "the domain knows {outer}");
            }
        }
    }
    let components = crates("components");
    for (name, dependencies) in &components {
        for dependency in dependencies {
            assert!(
                !components.contains_key(dependency),
                "{name} depends on {dependency}"
            );
        }
    }
    let scheduler = &components["scheduler"];
    assert!(
        scheduler
            .iter()
            .all(|name| !name.starts_with("vivesphere-")),
        "the tick stays thin: {scheduler:?}"
    );
}

#[test]
fn one_crate_touches_the_database_and_one_the_ciphers() {
    for file in [files("shared", &["rs"]), files("components", &["rs"])].concat() {
        let text = read(&file);
        let in_db = file.starts_with(repository().join("shared/db"));
        assert!(
            in_db || !text.contains("spin_sdk::sqlite"),
            "{} opens the database",
            file.display()
        );
    }
    let ciphers = [
        "aes-gcm",
        "argon2",
        "ed25519-dalek",
        "hmac",
        "jwt-simple",
        "sha1",
        "sha2",
        "sha3",
        "ring",
        "rsa",
        "chacha20poly1305",
        "subtle",
    ];
    for folder in ["shared", "components", "shared/crypto"] {
        for (name, dependencies) in crates(folder) {
            let found: Vec<_> = ciphers
                .iter()
                .filter(|cipher| dependencies.contains(**cipher))
                .collect();
            assert!(
                name == "crypto" || folder == "shared/crypto" || found.is_empty(),
                "{folder}/{name} imports {found:?}"
            );
        }
    }
}

#[test]
fn no_sql_outside_of_the_domain() {
    let words = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"];
    for file in files("components", &["rs"]) {
        let text = read(&file);
        let found: Vec<_> = words.iter().filter(|word| text.contains(**word)).collect();
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
}

#[test]
fn nothing_is_left_to_do_and_nothing_names_the_place_it_was_made_in() {
    // In two pieces, so that this file does not name them either.
    let never = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["/ho", "me/"],
        ["/tmp/", "bash_jobs"],
    ]
    .map(|pieces| pieces.concat());
    for file in files(
        ".",
        &["rs", "toml", "md", "sql", "yml", "yaml", "sh", "wit"],
    ) {
        let text = read(&file);
        for word in &never {
            assert!(
                !text.contains(word.as_str()),
                "{} has {word}",
                file.display()
            );
        }
    }
}

#[test]
fn modules_have_names_that_say_something() {
    for file in files(".", &["rs"]) {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let empty = [
            "utils", "util", "common", "helpers", "misc", "manager", "types", "stuff",
        ];
        assert!(!empty.contains(&stem.as_str()), "{}", file.display());
    }
}
