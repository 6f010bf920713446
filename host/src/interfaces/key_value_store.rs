//! Where the values of a key-value store live.

mod file;
mod redis;

use crate::application::KeyValueStore;
use file::FileStore;
use redis::RedisStore;

/// One store, shared by all instances.
#[derive(Clone)]
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Store(Kind);

/// A store that a guest has opened.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub type OpenStore = Store;

#[derive(Clone)]
enum Kind {
    File(FileStore),
    Redis(RedisStore),
}

/// The error is for the guest, as text.
type Outcome<T> = Result<T, String>;

const NOT_A_NUMBER: &str = "the value is not a number that can be added to";

macro_rules! on_either {
    ($self:ident.$operation:ident($($argument:expr),*)) => {
        match &$self.0 {
            Kind::File(store) => store.$operation($($argument),*).await,
            Kind::Redis(store) => store.$operation($($argument),*).await,
        }
    };
}

impl Store {
    /// Opens the store; a Redis server is connected to when it is first needed.
    pub(crate) fn open(kind: &KeyValueStore, label: &str) -> anyhow::Result<Self> {
        Ok(Self(match kind {
            KeyValueStore::File(path) => Kind::File(FileStore::open(path, label)?),
            KeyValueStore::Redis(url) => Kind::Redis(RedisStore::open(url, label)?),
        }))
    }

    pub(crate) async fn get(&self, key: String) -> Outcome<Option<Vec<u8>>> {
        on_either!(self.get(key))
    }

    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Outcome<()> {
        on_either!(self.set(key, value))
    }

    pub(crate) async fn delete(&self, key: String) -> Outcome<()> {
        on_either!(self.delete(key))
    }

    pub(crate) async fn exists(&self, key: String) -> Outcome<bool> {
        Ok(self.get(key).await?.is_some())
    }

    pub(crate) async fn keys(&self) -> Outcome<Vec<String>> {
        on_either!(self.keys())
    }

    /// Adds to a number, which is kept as Spin keeps it: that differs from store to store. A
    /// missing value counts as 0.
    pub(crate) async fn increment(&self, key: String, delta: i64) -> Outcome<i64> {
        on_either!(self.increment(key, delta))
    }

    /// Writes when the value is still `expected`; gives the present value back otherwise.
    pub(crate) async fn compare_and_swap(
        &self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Outcome<Result<(), Option<Vec<u8>>>> {
        on_either!(self.compare_and_swap(key, expected, value))
    }

    /// The values in the keys' order.
    pub(crate) async fn get_many(&self, keys: Vec<String>) -> Outcome<Vec<Option<Vec<u8>>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        on_either!(self.get_many(keys))
    }

    /// All or none.
    pub(crate) async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Outcome<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        on_either!(self.set_many(pairs))
    }

    /// All or none.
    pub(crate) async fn delete_many(&self, keys: Vec<String>) -> Outcome<()> {
        if keys.is_empty() {
            return Ok(());
        }
        on_either!(self.delete_many(keys))
    }
}
