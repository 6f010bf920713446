//! How a lot is written beside an application that needs the same disk.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

/// Bytes after which the disk and the processor are the application's for a while.
const STEP: u64 = 1 << 20;
/// That while is as long as the step took, and at least this long.
const LEAST_PAUSE: Duration = Duration::from_millis(1);
/// Bytes after which what was written goes to the disk: little at a time, so that the
/// application's own small commits never wait behind a gigabyte.
const SYNC: u64 = 16 << 20;

/// Counts what is written to a file, and makes the writer wait.
pub(super) struct Pace {
    file: File,
    step_began: Instant,
    step: u64,
    unsynced: u64,
}

impl Pace {
    /// For a file that is open elsewhere, too.
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            step_began: Instant::now(),
            step: 0,
            unsynced: 0,
        }
    }

    /// To be called after each write.
    pub(super) fn wrote(&mut self, bytes: u64) -> std::io::Result<()> {
        self.step += bytes;
        if self.step < STEP {
            return Ok(());
        }
        self.unsynced += self.step;
        if self.unsynced >= SYNC {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        std::thread::sleep(self.step_began.elapsed().max(LEAST_PAUSE));
        self.step = 0;
        self.step_began = Instant::now();
        Ok(())
    }

    /// Makes what was written outlast a power cut.
    pub(super) fn finish(self) -> std::io::Result<()> {
        self.file.sync_all()
    }
}

/// A writer that keeps the pace.
pub(super) struct Paced<W> {
    pub(super) to: W,
    pub(super) pace: Pace,
}

impl<W: Write> Write for Paced<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.pace.wrote(written as u64)?;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}
