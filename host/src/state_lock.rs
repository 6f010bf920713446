//! Who uses a state directory: any number of hosts at once, or one restore.
//!
//! The lock is `flock` on the folders themselves, so that no file is left behind and a process
//! that dies holds nothing.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use anyhow::{Context as _, bail};

/// Held until it is dropped.
#[derive(Debug)]
#[must_use = "what is not held is not locked"]
pub(crate) struct StateLock {
    _folders: Vec<File>,
}

impl StateLock {
    /// For a host, which shares its state with other hosts. Folders that are not there, and file
    /// systems that know no such locks, are passed over.
    ///
    /// # Errors
    /// When a restore is under way.
    pub(crate) fn shared(folders: &[PathBuf]) -> anyhow::Result<Self> {
        let mut held = Vec::new();
        for folder in folders {
            let Ok(file) = File::open(folder) else {
                continue;
            };
            match file.try_lock_shared() {
                Ok(()) => held.push(file),
                Err(TryLockError::WouldBlock) => {
                    bail!(
                        "{} is being restored; start when that is done",
                        folder.display()
                    )
                }
                Err(TryLockError::Error(_)) => {}
            }
        }
        Ok(Self { _folders: held })
    }

    /// For a restore, which must be alone.
    ///
    /// # Errors
    /// When anyone else uses one of the folders, or that cannot be told.
    pub(crate) fn alone(folders: &[PathBuf]) -> anyhow::Result<Self> {
        let mut held = Vec::new();
        for folder in folders {
            let file =
                File::open(folder).with_context(|| format!("cannot open {}", folder.display()))?;
            match file.try_lock() {
                Ok(()) => held.push(file),
                Err(TryLockError::WouldBlock) => bail!(
                    "{} is used by a running host or another restore; stop it first",
                    folder.display()
                ),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| {
                        format!("cannot tell whether {} is in use", folder.display())
                    });
                }
            }
        }
        Ok(Self { _folders: held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_share_and_a_restore_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        let one = StateLock::shared(&folders).unwrap();
        let two = StateLock::shared(&folders).unwrap();
        let refused = StateLock::alone(&folders).unwrap_err().to_string();
        assert!(refused.contains("running host"), "{refused}");
        drop((one, two));
        let alone = StateLock::alone(&folders).unwrap();
        let refused = StateLock::shared(&folders).unwrap_err().to_string();
        assert!(refused.contains("being restored"), "{refused}");
        drop(alone);
        StateLock::shared(&folders).map(drop).unwrap();
    }
}
