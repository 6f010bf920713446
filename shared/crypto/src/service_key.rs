//! The key with which components call each other, as it travels: `Bearer <key>`.

use crate::constant_time;
use crate::secret::{Secret, SecretString};

/// Whether `token`, the text after `Bearer`, is the service key.
#[must_use]
pub fn is_service_key(token: &str, key: &SecretString) -> bool {
    constant_time::eq(token.as_bytes(), key.expose().as_bytes())
}

/// The `Authorization` header of a call between components.
#[must_use]
pub fn service_authorization(key: &SecretString) -> SecretString {
    Secret::new(format!("Bearer {}", key.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_itself_is_accepted() {
        let key = Secret::new("k".repeat(44));
        let header = service_authorization(&key);
        let token = header.expose().strip_prefix("Bearer ").unwrap();
        assert!(is_service_key(token, &key));
        assert!(!is_service_key(token, &Secret::new("l".repeat(44))));
        assert!(!is_service_key("", &key));
        assert!(!is_service_key(&token[1..], &key));
    }
}
