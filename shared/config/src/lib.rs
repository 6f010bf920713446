//! Reading the variables that a deployment gives, inside a component: `integer`, `text`, `url`,
//! `key`, … read one each. Only those that `spin.toml` grants to the component resolve.
//!
//! Which there are is said by `vivesphere-variables`.

mod read;

pub use read::{
    Misconfigured, boolean, integer, key, optional_key, optional_secret_text, optional_text,
    origin, secret_text, text, url,
};
