//! The key with which components call each other, as it travels: `Bearer <base64>`.

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::constant_time;
use crate::secret::{Secret, SecretString};

/// Whether `token`, the text after `Bearer`, is the service key.
#[must_use]
pub fn is_service_key(token: &str, key: &Secret<[u8; 32]>) -> bool {
    let expected = Secret::new(BASE64_STANDARD.encode(key.expose()));
    constant_time::eq(token.as_bytes(), expected.expose().as_bytes())
}

/// The `Authorization` header of a call between components.
#[must_use]
pub fn service_authorization(key: &Secret<[u8; 32]>) -> SecretString {
    Secret::new(format!("Bearer {}", BASE64_STANDARD.encode(key.expose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_itself_is_accepted() {
        let key = Secret::new([7; 32]);
        let header = service_authorization(&key);
        let token = header.expose().strip_prefix("Bearer ").unwrap();
        assert!(is_service_key(token, &key));
        assert!(!is_service_key(token, &Secret::new([8; 32])));
        assert!(!is_service_key("", &key));
        assert!(!is_service_key(&token[1..], &key));
    }
}
