//! The `.env` file of the working directory: read as Spin reads it, and appended to when a
//! first start makes secrets.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// Reads a `.env` file; one that is not there is empty.
///
/// # Errors
/// When the file cannot be read or a line is malformed. The message never repeats the line,
/// since it may hold a secret.
pub fn read(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let lines = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(BTreeMap::new()),
        Err(dotenvy::Error::Io(error)) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
        Err(_) => bail!("cannot read {}", path.display()),
    };
    let mut values = BTreeMap::new();
    for line in lines {
        match line {
            Ok((name, value)) => {
                values.insert(name, value);
            }
            Err(dotenvy::Error::Io(error)) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
            Err(_) => bail!(
                "{}: after {} good entries comes a malformed line; \
                 each line must be NAME=value, with quotes around a value that holds blanks",
                path.display(),
                values.len()
            ),
        }
    }
    Ok(values)
}

/// What is wrong with a `.env` file as a place for secrets; `None` when nothing is, or when
/// there is no file yet.
///
/// # Errors
/// When the file's mode cannot be read.
pub fn exposure(path: &Path) -> anyhow::Result<Option<String>> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot look at {}", path.display()));
        }
    };
    if !metadata.is_file() {
        return Ok(Some(format!("{} is not a regular file", path.display())));
    }
    let mode = metadata.mode() & 0o777;
    Ok((mode & 0o077 != 0).then(|| {
        format!(
            "{0} can be read by other users of this machine (mode {mode:03o}); \
             make it private with: chmod 600 {0}",
            path.display()
        )
    }))
}

/// Appends entries to a `.env` file, which is created with mode 0600.
///
/// # Errors
/// When the file is readable by others (nothing is written then) or cannot be written.
pub fn append(path: &Path, entries: &[(String, String)]) -> anyhow::Result<()> {
    if let Some(exposure) = exposure(path)? {
        bail!("refusing to write secrets: {exposure}");
    }
    let mut text = String::new();
    if let Ok(before) = std::fs::read(path)
        && before.last().is_some_and(|byte| *byte != b'\n')
    {
        text.push('\n');
    }
    for (name, value) in entries {
        text.push_str(&format!("{name}={value}\n"));
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_missing_file_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&folder.path().join(".env")).unwrap().is_empty());
    }

    #[test]
    fn quotes_comments_and_export_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, "# c\nA=1\nexport B=\"two words\"\nC='x#y'\n\n").unwrap();
        let values = read(&path).unwrap();
        assert_eq!(values["A"], "1");
        assert_eq!(values["B"], "two words");
        assert_eq!(values["C"], "x#y");
    }

    #[test]
    fn a_malformed_line_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, "A=1\ncanary 0451\n").unwrap();
        let message = format!("{:#}", read(&path).unwrap_err());
        assert!(message.contains("malformed line"), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }

    #[test]
    fn appended_entries_are_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        append(&path, &[("A".into(), "x+/=".into())]).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        std::fs::write(&path, "A=x+/=\nB=kept").unwrap();
        append(&path, &[("C".into(), "3".into())]).unwrap();
        let values = read(&path).unwrap();
        assert_eq!(values["A"], "x+/=");
        assert_eq!(values["B"], "kept");
        assert_eq!(values["C"], "3");
    }

    #[test]
    fn a_file_that_others_can_read_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, "A=1\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let message = append(&path, &[("B".into(), "2".into())])
            .unwrap_err()
            .to_string();
        assert!(message.contains("chmod 600"), "{message}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "A=1\n");
    }
}
