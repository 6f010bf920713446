//! What the numbers were measured on, and with.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::flags::Flags;

/// A heading for the table.
pub(crate) fn describe(flags: &Flags, repository: &Path) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _infallible = writeln!(text, "{name:<9} {value}");
    };
    line(
        "Measured",
        format!(
            "{}, ViveSphere {} at commit {}",
            chrono::Utc::now().format("%Y-%m-%d %H:%M UTC"),
            env!("CARGO_PKG_VERSION"),
            commit(repository)
        ),
    );
    line(
        "Machine",
        format!(
            "{}, {} cores, {} of memory, Linux {}",
            after("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned()),
            std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory(),
            read("/proc/sys/kernel/osrelease"),
        ),
    );
    line(
        "Host",
        format!(
            "target/debug/vivesphere as `cargo up` builds it, wasmtime {}, {}",
            locked(repository, "wasmtime"),
            output("rustc", &["--version"])
        ),
    );
    if let Some(spin) = &flags.spin {
        line("Spin", output(&spin.display().to_string(), &["--version"]));
    }
    line(
        "Load tool",
        format!(
            "benchmark {} (hyper {}, one thread, keep-alive), on the same machine; \
             {} connections, {} s a route",
            env!("CARGO_PKG_VERSION"),
            locked(repository, "hyper"),
            flags.connections,
            flags.seconds
        ),
    );
    text
}

fn commit(repository: &Path) -> String {
    let folder = repository.display().to_string();
    let id = output("git", &["-C", &folder, "rev-parse", "--short", "HEAD"]);
    let changes = output("git", &["-C", &folder, "status", "--porcelain"]);
    match changes.as_str() {
        "" => id,
        _ => format!("{id} with changes"),
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The value of the first line `<name> : <value>`.
fn after(file: &str, name: &str) -> Option<String> {
    let text = read(file);
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory() -> String {
    let kilobytes = after("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .unwrap_or_default();
    format!("{:.1} GiB", kilobytes / 1024.0 / 1024.0)
}

fn output(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// A crate's version in Cargo.lock.
fn locked(repository: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(repository.join("Cargo.lock")).unwrap_or_default();
    text.split_once(&format!("name = \"{name}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or("unknown")
        .to_owned()
}
