//! The end of a host: which instances are alive, and whether idle ones should go.

use std::sync::Arc;

use tokio::sync::watch;

/// Shared by a host and all its instances.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    alive: watch::Sender<usize>,
    ending: watch::Sender<bool>,
}

/// Held by an instance for as long as it lives.
#[derive(Debug)]
pub(crate) struct Alive(Arc<Lifecycle>);

impl Lifecycle {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            alive: watch::Sender::new(0),
            ending: watch::Sender::new(false),
        })
    }

    pub(crate) fn alive(self: &Arc<Self>) -> Alive {
        self.alive.send_modify(|alive| *alive += 1);
        Alive(self.clone())
    }

    /// Resolves when idle instances should end at once.
    pub(crate) fn ending(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        let mut ending = self.ending.subscribe();
        async move {
            // A host that is gone is as good as one that ends.
            let _ = ending.wait_for(|ending| *ending).await;
        }
    }

    /// Sends idle instances away and waits for the others to finish what they do.
    pub(crate) async fn end(&self) {
        self.ending.send_replace(true);
        // The sender lives in `self`.
        let _ = self.alive.subscribe().wait_for(|alive| *alive == 0).await;
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.send_modify(|alive| *alive -= 1);
    }
}
