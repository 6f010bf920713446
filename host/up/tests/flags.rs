//! What `cargo up` does with what it is told. In cargo's place stands a script that notes how it was
//! called, so that nothing is built.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder of this test's own with a `cargo` in it, which ends as `build` says when it is to build the
/// host.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, build: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _absent = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let script = folder.join("cargo");
        // An argument a line, as it came: nothing may be split or joined on the way.
        let text = format!(
            "#!/bin/sh\n\
             {{ for argument in \"$@\"; do printf '[%s]' \"$argument\"; done; echo; }} >> '{}'\n\
             if [ \"$1\" = build ]; then {build}; fi\n",
            folder.join("calls").display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn up(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vivesphere-up"))
            .args(arguments)
            .current_dir(&self.0)
            .env("CARGO", self.0.join("cargo"))
            .output()
            .unwrap()
    }

    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.0.join("calls")).unwrap();
        calls.lines().map(str::to_owned).collect()
    }
}

const BUILD: &str = "[build][--bin][vivesphere]";
const BECOME: &str = "[run][--quiet][--bin][vivesphere][--][up][--build]";

#[test]
fn the_hosts_flags_reach_the_host_as_they_are() {
    let place = Place::new("flags", "exit 0");
    let flags = [
        "--listen",
        "127.0.0.1:4000",
        "--state-dir",
        "a folder of mine",
        "--variable",
        "k=v and \"more\" $HOME",
        "--env",
        "",
    ];
    let output = place.up(&flags);
    assert!(output.status.success(), "{output:?}");
    let passed: String = flags.iter().map(|flag| format!("[{flag}]")).collect();
    assert_eq!(
        place.calls(),
        [BUILD.to_owned(), BECOME.to_owned() + &passed]
    );
}

#[test]
fn without_flags_there_are_none() {
    let place = Place::new("none", "exit 0");
    assert!(place.up(&[]).status.success());
    assert_eq!(place.calls(), [BUILD, BECOME]);
}

#[test]
fn quiet_is_for_the_builds_too() {
    for flag in ["--quiet", "-q"] {
        // The host is at it until the components are built, too.
        let place = Place::new(
            &format!("quiet{flag}"),
            "until grep -q components calls; do sleep 0.05; done",
        );
        let output = place.up(&[flag]);
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        assert_eq!(
            place.calls(),
            [
                format!("{BUILD}[--quiet]"),
                "[components][--quiet]".to_owned(),
                format!("{BECOME}[{flag}]"),
            ]
        );
    }
}

#[test]
fn what_is_not_built_is_not_started() {
    let place = Place::new("failed", "exit 101");
    let output = place.up(&["--listen", "127.0.0.1:4000"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(place.calls(), [BUILD]);
}

#[test]
fn the_hosts_own_end_is_the_end() {
    let place = Place::new("ended", "exit 0");
    let script = place.0.join("cargo");
    let text = std::fs::read_to_string(&script).unwrap() + "if [ \"$1\" = run ]; then exit 7; fi\n";
    std::fs::write(&script, text).unwrap();
    assert_eq!(place.up(&[]).status.code(), Some(7));
}
