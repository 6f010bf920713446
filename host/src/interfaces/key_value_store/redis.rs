//! A store on a Redis server. As with Spin, keys are used as they are: a store that should not
//! mix with another has a database of its own (`redis://host/1`).

use std::time::Duration;

use anyhow::Context as _;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands as _, RedisError};

use super::Outcome;

/// How long connecting, and one command, may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many keys are asked for at a time.
const KEYS: usize = 1000;

/// Looks and writes in one step. `ARGV`: whether a value is expected, which one, the new one.
const COMPARE_AND_SWAP: &str = "
local now = redis.call('GET', KEYS[1])
if (ARGV[1] == '0' and now == false) or (ARGV[1] == '1' and now == ARGV[2]) then
  redis.call('SET', KEYS[1], ARGV[3])
  return {1, false}
end
return {0, now}";

/// One store, shared by all instances through one connection.
#[derive(Clone)]
pub(super) struct RedisStore(ConnectionManager);

fn reason(error: RedisError) -> String {
    error.to_string()
}

impl RedisStore {
    /// Reads the address. The server need not be there yet, and may come and go.
    pub(super) fn open(url: &str, label: &str) -> anyhow::Result<Self> {
        // The URL may hold a password: it is not shown.
        let client = redis::Client::open(url)
            .with_context(|| format!("the URL of the key-value store `{label}` cannot be used"))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(1);
        ConnectionManager::new_lazy_with_config(client, config)
            .map(Self)
            .with_context(|| format!("the key-value store `{label}` cannot be used"))
    }

    pub(super) async fn get(&self, key: String) -> Outcome<Option<Vec<u8>>> {
        self.0.clone().get(key).await.map_err(reason)
    }

    pub(super) async fn set(&self, key: String, value: Vec<u8>) -> Outcome<()> {
        self.0.clone().set(key, value).await.map_err(reason)
    }

    pub(super) async fn delete(&self, key: String) -> Outcome<()> {
        self.0.clone().del(key).await.map_err(reason)
    }

    /// `SCAN`, which lets the server serve others in between; it may tell a key twice.
    pub(super) async fn keys(&self) -> Outcome<Vec<String>> {
        let mut connection = self.0.clone();
        let mut keys = std::collections::BTreeSet::new();
        let mut cursor: u64 = 0;
        loop {
            let (next, found): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("COUNT")
                .arg(KEYS)
                .query_async(&mut connection)
                .await
                .map_err(reason)?;
            keys.extend(found);
            if next == 0 {
                return Ok(keys.into_iter().collect());
            }
            cursor = next;
        }
    }

    pub(super) async fn increment(&self, key: String, delta: i64) -> Outcome<i64> {
        self.0.clone().incr(key, delta).await.map_err(reason)
    }

    pub(super) async fn compare_and_swap(
        &self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Outcome<Result<(), Option<Vec<u8>>>> {
        let (swapped, current): (bool, Option<Vec<u8>>) = redis::cmd("EVAL")
            .arg(COMPARE_AND_SWAP)
            .arg(1)
            .arg(key)
            .arg(u8::from(expected.is_some()))
            .arg(expected.unwrap_or_default())
            .arg(value)
            .query_async(&mut self.0.clone())
            .await
            .map_err(reason)?;
        Ok(if swapped { Ok(()) } else { Err(current) })
    }

    pub(super) async fn get_many(&self, keys: Vec<String>) -> Outcome<Vec<Option<Vec<u8>>>> {
        self.0.clone().mget(keys).await.map_err(reason)
    }

    pub(super) async fn set_many(&self, pairs: Vec<(String, Vec<u8>)>) -> Outcome<()> {
        self.0.clone().mset(&pairs).await.map_err(reason)
    }

    pub(super) async fn delete_many(&self, keys: Vec<String>) -> Outcome<()> {
        self.0.clone().del(keys).await.map_err(reason)
    }
}
