//! Public keys that verify access tokens, and their published form (RFC 7517, RFC 8037).

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use ed25519_dalek::VerifyingKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vivesphere_crypto::KeyError;

/// An Ed25519 public key and its name.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// Takes a key from its 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] for bytes that are no point of the curve, or one of the few weak
    /// points under which anything verifies.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Unusable)?;
        if key.is_weak() {
            return Err(KeyError::Unusable);
        }
        let kid = thumbprint(&bytes);
        Ok(Self { kid, key })
    }

    /// The key's name: its RFC 7638 thumbprint, so the same key has the same name everywhere.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The key as it is published.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: BASE64_URL_SAFE_NO_PAD.encode(self.bytes()),
            kid: self.kid.clone(),
            alg: "EdDSA".to_owned(),
            usage: "sig".to_owned(),
        }
    }

    pub(crate) const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }
}

/// A public key as RFC 8037 writes it in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Jwk {
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// The key's bytes in base64url without padding.
    pub x: String,
    /// The RFC 7638 thumbprint.
    pub kid: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

impl TryFrom<&Jwk> for PublicKey {
    type Error = KeyError;

    /// Takes the key; its name is computed, not believed.
    fn try_from(jwk: &Jwk) -> Result<Self, KeyError> {
        if jwk.kty != "OKP" || jwk.crv != "Ed25519" || jwk.alg != "EdDSA" || jwk.usage != "sig" {
            return Err(KeyError::Unusable);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(&jwk.x)
            .map_err(|_| KeyError::NotBase64)?;
        let length = bytes.len();
        let key = Self::from_bytes(
            bytes
                .try_into()
                .map_err(|_| KeyError::WrongLength(length))?,
        )?;
        if key.kid == jwk.kid {
            Ok(key)
        } else {
            Err(KeyError::Unusable)
        }
    }
}

/// The document at `/.well-known/jwks.json` (RFC 7517, section 5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JwkSet {
    /// The keys that tokens may be signed with now.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// The document that publishes `keys`.
    #[must_use]
    pub fn new(keys: &[PublicKey]) -> Self {
        Self {
            keys: keys.iter().map(PublicKey::jwk).collect(),
        }
    }

    /// The usable keys of the set; others are passed over, as RFC 7517, section 5, asks.
    #[must_use]
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.keys
            .iter()
            .filter_map(|jwk| PublicKey::try_from(jwk).ok())
            .collect()
    }
}

/// RFC 7638: SHA-256 of the required members in lexicographic order without white space. For OKP
/// keys these are `crv`, `kty` and `x` (RFC 8037, section 2).
fn thumbprint(bytes: &[u8; 32]) -> String {
    let x = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 8037, appendix A.2.
    const RFC_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn rfc_key() -> PublicKey {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(RFC_X).unwrap();
        PublicKey::from_bytes(bytes.try_into().unwrap()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// RFC 8037, appendix A.3.
    #[test]
    fn thumbprint_agrees_with_the_rfc() {
        assert_eq!(
            rfc_key().kid(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn the_published_set_is_read_back() {
        let text = serde_json::to_string(&JwkSet::new(&[rfc_key()])).unwrap();
        assert!(text.contains(r#""use":"sig""#));
        assert!(!text.contains(r#""d":"#));
        let set: JwkSet = serde_json::from_str(&text).unwrap();
        assert!(set.public_keys() == [rfc_key()]);
    }

    #[test]
    fn a_key_under_a_false_name_is_passed_over() {
        let mut jwk = rfc_key().jwk();
        jwk.kid = "another".to_owned();
        assert_eq!(PublicKey::try_from(&jwk).err(), Some(KeyError::Unusable));
        assert!(JwkSet { keys: vec![jwk] }.public_keys().is_empty());
    }

    /// The neutral element and the points of small order verify signatures nobody made.
    #[test]
    fn weak_keys_are_refused() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(
            PublicKey::from_bytes(neutral).err(),
            Some(KeyError::Unusable)
        );
        assert_eq!(
            PublicKey::from_bytes([0; 32]).err(),
            Some(KeyError::Unusable)
        );
    }

    proptest! {
        #[test]
        fn no_document_can_panic(x: String, bytes: [u8; 32]) {
            let mut jwk = rfc_key().jwk();
            jwk.x = x;
            prop_assert!(PublicKey::try_from(&jwk).is_err());
            let _ = PublicKey::from_bytes(bytes);
        }
    }
}
