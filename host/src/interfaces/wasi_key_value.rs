//! `wasi:keyvalue@0.2.0-draft2`: the same stores, with atomics and batches.

use wasmtime::component::Resource;

use super::bindings::spin::key_value::key_value::Error as SpinError;
use super::bindings::wasi::keyvalue::{atomics, batch, store};
use super::key_value;
use super::key_value_store::{OpenStore, Store};
use crate::instance::Guest;

/// A value as it was when the guest looked, to be swapped only if nobody else was faster.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Cas {
    store: Store,
    key: String,
    current: Option<Vec<u8>>,
}

type Outcome<T> = wasmtime::Result<Result<T, store::Error>>;

fn other<T>(result: Result<T, String>) -> Result<T, store::Error> {
    result.map_err(store::Error::Other)
}

impl store::Host for Guest {
    async fn open(&mut self, identifier: String) -> Outcome<Resource<OpenStore>> {
        Ok(match key_value::granted(self, &identifier) {
            Ok(store) => Ok(self.table.push(store)?),
            Err(SpinError::AccessDenied) => Err(store::Error::AccessDenied),
            Err(_) => Err(store::Error::NoSuchStore),
        })
    }
}

impl store::HostBucket for Guest {
    async fn get(&mut self, bucket: Resource<OpenStore>, key: String) -> Outcome<Option<Vec<u8>>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(other(bucket.get(key).await))
    }

    async fn set(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Outcome<()> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(other(bucket.set(key, value).await))
    }

    async fn delete(&mut self, bucket: Resource<OpenStore>, key: String) -> Outcome<()> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(other(bucket.delete(key).await))
    }

    async fn exists(&mut self, bucket: Resource<OpenStore>, key: String) -> Outcome<bool> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(other(bucket.exists(key).await))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<OpenStore>,
        cursor: Option<String>,
    ) -> Outcome<store::KeyResponse> {
        if cursor.is_some() {
            // All keys come at once, so no cursor was ever given out.
            return Ok(Err(store::Error::Other("unknown cursor".to_owned())));
        }
        let bucket = self.table.get(&bucket)?.clone();
        Ok(other(bucket.keys().await).map(|keys| store::KeyResponse { keys, cursor: None }))
    }

    async fn drop(&mut self, bucket: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Guest {
    async fn increment(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
        delta: i64,
    ) -> Outcome<i64> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(other(bucket.increment(key, delta).await))
    }

    async fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let Cas {
            store,
            key,
            current,
        } = self.table.delete(cas)?;
        Ok(
            match store.compare_and_swap(key.clone(), current, value).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(current)) => {
                    let again = self.table.push(Cas {
                        store,
                        key,
                        current,
                    })?;
                    Err(atomics::CasError::CasFailed(again))
                }
                Err(error) => Err(atomics::CasError::StoreError(store::Error::Other(error))),
            },
        )
    }
}

impl atomics::HostCas for Guest {
    async fn new(&mut self, bucket: Resource<OpenStore>, key: String) -> Outcome<Resource<Cas>> {
        let store = self.table.get(&bucket)?.clone();
        Ok(match store.get(key.clone()).await {
            Ok(current) => Ok(self.table.push(Cas {
                store,
                key,
                current,
            })?),
            Err(error) => Err(store::Error::Other(error)),
        })
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Outcome<Option<Vec<u8>>> {
        Ok(Ok(self.table.get(&cas)?.current.clone()))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        bucket: Resource<OpenStore>,
        keys: Vec<String>,
    ) -> Outcome<Vec<(String, Option<Vec<u8>>)>> {
        let bucket = self.table.get(&bucket)?.clone();
        let values = bucket.get_many(keys.clone()).await;
        Ok(other(
            values.map(|values| keys.into_iter().zip(values).collect()),
        ))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<OpenStore>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Outcome<()> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(other(bucket.set_many(key_values).await))
    }

    async fn delete_many(&mut self, bucket: Resource<OpenStore>, keys: Vec<String>) -> Outcome<()> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(other(bucket.delete_many(keys).await))
    }
}
