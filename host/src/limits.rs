//! What one instance may take: memory, and time on the processor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Time between two looks at an instance that computes without a pause.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Bytes counted for one element of a table.
const TABLE_ELEMENT: usize = size_of::<usize>();

/// Counts the linear memories and tables of one instance together.
#[derive(Debug)]
pub(crate) struct Memory {
    free: usize,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { free: bytes }
    }

    fn take(&mut self, bytes: usize) -> bool {
        match self.free.checked_sub(bytes) {
            Some(left) => {
                self.free = left;
                true
            }
            None => false,
        }
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.take(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = desired.saturating_sub(current);
        Ok(self.take(elements.saturating_mul(TABLE_ELEMENT)))
    }
}

/// Tells an instance that computes without a pause from one that waits now and then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Computing(Arc<State>);

#[derive(Debug, Default)]
struct State {
    ticks: AtomicU32,
    gave_way: AtomicBool,
}

impl Computing {
    /// The instance was made to give way; gives how many times in a row.
    pub(crate) fn tick(&self) -> u32 {
        self.0.gave_way.store(true, Ordering::Relaxed);
        self.0.ticks.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The instance's future is pending: either it just gave way, or it waits for something.
    pub(crate) fn pending(&self) {
        if !self.0.gave_way.swap(false, Ordering::Relaxed) {
            self.0.ticks.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_counted_together() {
        let mut memory = Memory::new(1000);
        assert!(memory.memory_growing(0, 600, None).unwrap());
        assert!(memory.table_growing(0, 40, None).unwrap());
        assert!(!memory.memory_growing(600, 700, None).unwrap());
        assert!(memory.memory_growing(600, 680, None).unwrap());
        assert!(!memory.memory_growing(0, usize::MAX, None).unwrap());
    }

    #[test]
    fn only_an_instance_that_never_waits_adds_up() {
        let computing = Computing::default();
        for wanted in 1..=3 {
            assert_eq!(computing.tick(), wanted);
            computing.pending();
        }
        computing.pending();
        assert_eq!(computing.tick(), 1);
    }
}
