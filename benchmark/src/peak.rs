//! The most memory that a process has while something goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::process;

const EVERY: Duration = Duration::from_millis(100);

/// Looks again and again until it is dropped.
pub(crate) struct Peak {
    task: JoinHandle<()>,
    kilobytes: Arc<AtomicU64>,
}

impl Peak {
    /// Watches the process with this id.
    pub(crate) fn of(id: u32) -> Self {
        let kilobytes = Arc::new(AtomicU64::new(0));
        let most = kilobytes.clone();
        let task = tokio::spawn(async move {
            loop {
                if let Ok(megabytes) = process::resident(id) {
                    most.fetch_max((megabytes * 1000.0) as u64, Ordering::Relaxed);
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { task, kilobytes }
    }

    /// The most so far, in MB.
    pub(crate) fn megabytes(&self) -> f64 {
        self.kilobytes.load(Ordering::Relaxed) as f64 / 1000.0
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.task.abort();
    }
}
