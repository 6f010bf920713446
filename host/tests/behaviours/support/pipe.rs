//! A component whose code is still to come.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// A named pipe in the place of a `.wasm` file: whoever compiles it waits for its bytes, until it is
/// dropped.
pub(crate) struct Pipe {
    path: PathBuf,
    /// Opened for reading, too, which does not wait for a reader.
    end: File,
}

impl Pipe {
    /// Takes the place of the file.
    pub(crate) fn new(path: PathBuf) -> Self {
        std::fs::remove_file(&path).unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &path, FileType::Fifo, mode, 0).unwrap();
        let both = OpenOptions::new().read(true).write(true).open(&path);
        Self {
            path,
            end: both.unwrap(),
        }
    }

    /// Gives the bytes to the compiler: more than a pipe holds, so that it has come when this is done.
    pub(crate) async fn give(self, bytes: Vec<u8>) {
        assert!(bytes.len() > 1 << 17);
        let write = move || (&self.end).write_all(&bytes);
        let written = tokio::task::spawn_blocking(write).await;
        written.unwrap().unwrap();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // A compiler that comes later finds no file.
        std::fs::remove_file(&self.path).unwrap();
    }
}
