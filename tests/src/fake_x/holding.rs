//! Calls that are kept waiting until a test lets them go, in the order in which they came.

use std::time::Duration;

use super::fake::Control;
use super::state::Shared;

/// Waits until it is let go.
pub(crate) async fn wait(shared: &Shared) {
    let place = {
        let mut state = shared.lock();
        state.held += 1;
        state.held
    };
    while shared.lock().let_go < place {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Control {
    /// How many calls have arrived and are not answered yet, whether or not somebody still waits.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.shared.lock().under_way
    }

    /// How many calls are held until they are let go.
    #[must_use]
    pub fn held(&self) -> usize {
        let state = self.shared.lock();
        state.held - state.let_go
    }

    /// Lets go of every call that is held.
    pub fn let_go(&self) {
        let mut state = self.shared.lock();
        state.let_go = state.held;
    }

    /// Lets go of the call that has been held longest.
    pub fn let_first_go(&self) {
        let mut state = self.shared.lock();
        state.let_go = state.held.min(state.let_go + 1);
    }
}
