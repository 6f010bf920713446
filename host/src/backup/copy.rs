//! One SQLite file copied while others write to it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::pace::Pace;

/// Pages copied at a time: 1 MiB of the usual 4 KiB.
const PAGES: i32 = 256;
/// How long the file may be locked by others.
const PATIENCE: Duration = Duration::from_secs(60);

/// Copies `from` to the new file `to` (mode 0600).
///
/// # Errors
/// When `from` is no SQLite file or stays locked, or `to` cannot be written.
pub(super) fn online(from: &Path, to: &Path) -> anyhow::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags)?;
    source.busy_timeout(Duration::from_secs(10))?;
    let page_size: u32 = source.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let mode: String = source.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode == "wal" {
        // Begins the one read transaction that every step reads in. Without it, each commit of
        // the application would make the copy start over. A file in another journal mode is
        // copied without: there a long read would keep writers out.
        source.execute_batch("BEGIN")?;
        source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .with_context(|| format!("cannot make {}", to.display()))?;
    let mut pace = Pace::new(file);
    let mut copy = Connection::open(to)?;
    // A copy that a power cut ends is no backup anyway: it has no manifest yet.
    copy.pragma_update(None, "synchronous", "OFF")?;
    {
        let backup = Backup::new(&source, &mut copy)?;
        let mut patience = Instant::now() + PATIENCE;
        loop {
            match backup.step(PAGES)? {
                StepResult::Done => break,
                StepResult::More => {
                    pace.wrote(u64::from(PAGES.unsigned_abs()) * u64::from(page_size))?;
                    patience = Instant::now() + PATIENCE;
                }
                _ if Instant::now() > patience => {
                    bail!("the file stays locked by another program")
                }
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
    copy.close().map_err(|(_, error)| error)?;
    pace.finish()?;
    Ok(())
}
