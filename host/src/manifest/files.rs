//! `files` and `exclude_files` of a component.

use std::path::{Component as Segment, Path, PathBuf};

use anyhow::{Context as _, bail};

use super::document::Section;

/// One element of `files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileMount {
    /// A file, folder or glob, seen by the component under the same relative path.
    Pattern(String),
    /// A file or folder, seen by the component at `destination`.
    Placement {
        /// Relative to the manifest's folder.
        source: String,
        /// An absolute path.
        destination: String,
    },
}

pub(super) fn mounts(section: &Section<'_>) -> Vec<FileMount> {
    let mut mounts = Vec::new();
    let elements = section
        .entry("files")
        .map_or_else(Vec::new, |entry| entry.elements());
    for element in elements {
        if element.is_string() {
            let Some(pattern) = element.string().map(|text| text.value) else {
                continue;
            };
            if let Err(problem) = check_pattern(&pattern) {
                element.refuse(format!("`{pattern}` in `files` {problem}"));
            }
            mounts.push(FileMount::Pattern(pattern));
            continue;
        }
        let Some(table) = element.section() else {
            continue;
        };
        table.keys(&["source", "destination"], &[]);
        let source = table.required("source").and_then(|entry| entry.string());
        let destination = table
            .required("destination")
            .and_then(|entry| entry.string());
        if let (Some(source), Some(destination)) = (source, destination) {
            let climbs = destination.value.split('/').any(|segment| segment == "..");
            if !destination.value.starts_with('/') || climbs {
                element.refuse(format!(
                    "the destination `{}` must be an absolute path without `..`",
                    destination.value
                ));
            }
            mounts.push(FileMount::Placement {
                source: source.value,
                destination: destination.value,
            });
        }
    }
    mounts
}

pub(super) fn exclusions(section: &Section<'_>) -> Vec<glob::Pattern> {
    let mut patterns = Vec::new();
    for text in section.strings("exclude_files") {
        match glob::Pattern::new(&text.value) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => section.refuse(
                text.line,
                format!(
                    "`{}` in `exclude_files` is no pattern: {}",
                    text.value, error.msg
                ),
            ),
        }
    }
    patterns
}

fn check_pattern(pattern: &str) -> Result<(), String> {
    let path = Path::new(pattern);
    let inside = path
        .components()
        .all(|segment| matches!(segment, Segment::Normal(_) | Segment::CurDir));
    if !inside {
        return Err("must be relative and stay inside the manifest's folder; \
                    `{ source = …, destination = … }` reaches further"
            .to_owned());
    }
    glob::Pattern::new(pattern)
        .map(drop)
        .map_err(|error| format!("is no pattern: {}", error.msg))
}

/// The (host path, guest path) pairs that `files` without `exclude_files` comes to. A placed
/// folder from which nothing is excluded stays one pair.
pub(super) fn resolve(
    folder: &Path,
    mounts: &[FileMount],
    exclude: &[glob::Pattern],
) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for mount in mounts {
        match mount {
            FileMount::Pattern(pattern) => {
                let found = matching(folder, pattern)?;
                if found.is_empty() {
                    bail!(
                        "`{pattern}` in `files` matches nothing in {}",
                        folder.display()
                    );
                }
                for path in found {
                    let relative = path.strip_prefix(folder).unwrap_or(&path);
                    let guest = format!("/{}", relative.display());
                    collect(folder, &path, &guest, exclude, &mut files)?;
                }
            }
            FileMount::Placement {
                source,
                destination,
            } => {
                let path = folder.join(source);
                if !path.exists() {
                    bail!(
                        "`{source}` in `files` does not exist in {}",
                        folder.display()
                    );
                }
                if path.is_dir() && exclude.is_empty() {
                    files.push((path, destination.clone()));
                } else {
                    let guest = destination.trim_end_matches('/');
                    collect(folder, &path, guest, exclude, &mut files)?;
                }
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn matching(folder: &Path, pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder_pattern = glob::Pattern::escape(&folder.to_string_lossy());
    let whole = format!(
        "{folder_pattern}/{}",
        pattern.strip_prefix("./").unwrap_or(pattern)
    );
    let mut found = Vec::new();
    for path in glob::glob(&whole).with_context(|| format!("`{pattern}` in `files`"))? {
        let path = path.with_context(|| format!("`{pattern}` in `files`"))?;
        found.push(path);
    }
    Ok(found)
}

/// Adds a file, or every file below a folder, unless it is excluded.
fn collect(
    folder: &Path,
    path: &Path,
    guest: &str,
    exclude: &[glob::Pattern],
    files: &mut Vec<(PathBuf, String)>,
) -> anyhow::Result<()> {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    if exclude.iter().any(|pattern| pattern.matches_path(relative)) {
        return Ok(());
    }
    if !path.is_dir() {
        files.push((path.to_owned(), guest.to_owned()));
        return Ok(());
    }
    let entries =
        std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", path.display()))?;
        let below = format!("{guest}/{}", entry.file_name().to_string_lossy());
        collect(folder, &entry.path(), &below, exclude, files)?;
    }
    Ok(())
}
