//! A value that must not be seen.
//!
//! The type itself comes from `vivesphere-variables`, where secrets enter the program, so that a
//! configured key is the same [`Secret`] all the way. It has no `Debug`, `Display` or `Serialize`
//! and is overwritten with zeros when dropped.
//!
//! ```compile_fail
//! let secret = vivesphere_crypto::Secret::new(String::from("canary"));
//! println!("{secret:?}");
//! ```
//! ```compile_fail
//! let secret = vivesphere_crypto::Secret::new(String::from("canary"));
//! println!("{secret}");
//! ```
//! ```compile_fail
//! let secret = vivesphere_crypto::Secret::new(String::from("canary"));
//! serde_json::to_string(&secret);
//! ```

use serde::{Deserialize, Deserializer};
pub use vivesphere_variables::Secret;
use zeroize::Zeroize;

use crate::constant_time;

/// A secret text, such as a password, an access key or a refresh token.
pub type SecretString = Secret<String>;

/// Whether two secrets are the same, in a time that depends on their lengths alone.
#[must_use]
pub fn eq<T: Zeroize + AsRef<[u8]>>(left: &Secret<T>, right: &Secret<T>) -> bool {
    constant_time::eq(left.expose().as_ref(), right.expose().as_ref())
}

/// Reads a secret out of a request, for
/// `#[serde(deserialize_with = "vivesphere_crypto::secret::deserialize")]`. There is no way back.
///
/// # Errors
/// Those of the inner value.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Secret<T>, D::Error>
where
    T: Zeroize + Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    struct Watched(Rc<Cell<bool>>);

    impl Zeroize for Watched {
        fn zeroize(&mut self) {
            self.0.set(true);
        }
    }

    #[test]
    fn is_zeroized_on_drop() {
        let wiped = Rc::new(Cell::new(false));
        drop(Secret::new(Watched(Rc::clone(&wiped))));
        assert!(wiped.get());
    }

    #[test]
    fn equality_compares_the_content() {
        let secret = |text: &str| Secret::new(text.to_owned());
        assert!(eq(&secret("a"), &secret("a")));
        assert!(!eq(&secret("a"), &secret("b")));
        assert!(!eq(&secret("a"), &secret("aa")));
    }

    #[test]
    fn a_request_body_can_carry_one() {
        #[derive(Deserialize)]
        struct Body {
            #[serde(deserialize_with = "deserialize")]
            password: SecretString,
        }
        let body: Body = serde_json::from_str(r#"{"password":"pass word"}"#).unwrap();
        assert_eq!(body.password.expose(), "pass word");
    }
}
