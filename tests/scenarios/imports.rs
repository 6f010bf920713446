//! What the built components ask of whoever runs them: nothing that Spin 4.1 does not offer, and the
//! scheduler nothing of WASI 0.3, so that the cron trigger's own process can run it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use toml_edit::DocumentMut;
use vivesphere_tests::build::{self, repository};
use wasmparser::{ComponentTypeRef, Parser, Payload};

/// The interfaces that Spin 4.1 links into a component, by package and version: one of a package of
/// WASI 0.2 or 0.3 is there whole, as both worlds are.
const OF_SPIN: &[&str] = &[
    "spin:key-value/key-value@3.0.0",
    "spin:sqlite/sqlite@3.1.0",
    "spin:variables/variables@3.0.0",
    "wasi:keyvalue/store@0.2.0-draft2",
    "wasi:keyvalue/batch@0.2.0-draft2",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    // Of its cron trigger.
    "spin:cron/cron-types@3.0.0",
];
const OF_WASI: &[&str] = &[
    "cli",
    "clocks",
    "filesystem",
    "http",
    "io",
    "random",
    "sockets",
];

/// The components of the manifest and their files.
fn components() -> BTreeMap<String, PathBuf> {
    let text = std::fs::read_to_string(repository().join("spin.toml")).unwrap();
    let manifest: DocumentMut = text.parse().unwrap();
    let components = manifest["component"].as_table().unwrap().iter();
    components
        .map(|(name, component)| {
            let source = component["source"].as_str().unwrap();
            (name.to_owned(), repository().join(source))
        })
        .collect()
}

/// What a component imports: interfaces, with their versions.
fn imports(file: &PathBuf) -> BTreeSet<String> {
    let bytes = std::fs::read(file).unwrap();
    let mut depth = 0;
    let mut imports = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            // Those of the modules and components within it are met inside of it.
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.unwrap();
                    // Types of the interfaces that come before them; they ask for nothing more.
                    if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                        imports.insert(import.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    assert!(!imports.is_empty(), "{} imports nothing", file.display());
    imports
}

/// Whether an interface is one of Spin 4.1's.
fn is_offered(interface: &str) -> bool {
    let wasi = interface.strip_prefix("wasi:").is_some_and(|rest| {
        let version = rest.split('@').nth(1).unwrap_or_default();
        let package = rest.split('/').next().unwrap_or_default();
        OF_WASI.contains(&package) && (version.starts_with("0.2.") || version.starts_with("0.3."))
    });
    wasi || OF_SPIN.contains(&interface)
}

#[test]
fn every_component_imports_only_what_spin_offers() {
    build::everything();
    for (name, file) in components() {
        let foreign: Vec<String> = imports(&file)
            .into_iter()
            .filter(|interface| !is_offered(interface))
            .collect();
        assert!(foreign.is_empty(), "{name} imports {foreign:?}");
    }
}

#[test]
fn the_scheduler_links_everywhere() {
    build::everything();
    let ticks: BTreeMap<String, PathBuf> = components()
        .into_iter()
        .filter(|(_, file)| file.ends_with("scheduler.wasm"))
        .collect();
    assert!(!ticks.is_empty());
    for (name, file) in ticks {
        let newest: Vec<String> = imports(&file)
            .into_iter()
            .filter(|interface| interface.contains("@0.3"))
            .collect();
        assert!(newest.is_empty(), "{name} imports {newest:?}");
    }
}

#[test]
fn what_is_no_interface_of_spins_is_seen() {
    for offered in ["wasi:http/types@0.2.12", "spin:sqlite/sqlite@3.1.0"] {
        assert!(is_offered(offered), "{offered}");
    }
    for foreign in [
        "wasi:nn/graph@0.2.0",
        "wasi:http/types@0.4.0",
        "wasi:http/types",
        "spin:sqlite/sqlite@4.0.0",
        "vivesphere:host/host",
    ] {
        assert!(!is_offered(foreign), "{foreign}");
    }
}
