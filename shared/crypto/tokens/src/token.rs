//! Access tokens: JSON web tokens (RFC 7519) signed with Ed25519 (RFC 8037).
//!
//! Signing goes through `jwt-simple`. Verifying is done here on `ed25519-dalek`, which takes a
//! quarter of the time in WebAssembly, and after RFC 8725: one algorithm, fixed in advance; the
//! key chosen by name among known ones; everything in the header and the claims checked.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use ed25519_dalek::Signature;
use jwt_simple::algorithms::{Ed25519KeyPair, EdDSAKeyPairLike};
use jwt_simple::claims::JWTClaims;
use jwt_simple::prelude::UnixTimeStamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use vivesphere_crypto::Secret;
use vivesphere_crypto::key_text::{self, KeyError};

use crate::public_key::PublicKey;

/// Who issues and who accepts (`iss`).
pub const ISSUER: &str = "vivesphere";
/// How far the clock of a node that issues may be ahead of one that accepts, in seconds. The end is
/// exact: `expires_in` is a promise.
pub const LEEWAY_SECONDS: i64 = 30;
/// The longest text in bytes that is looked at as a token; ours have about 400.
pub const MAX_LENGTH: usize = 4096;

/// What an access token says. Roles are not in it: they are looked up, so that a change holds at
/// once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the id of the user or access key.
    pub subject: String,
    /// `sid`: the session it belongs to; revoking that revokes the token.
    pub session_id: String,
    /// `jti`: the token's own id.
    pub token_id: String,
    /// `iat`: when it was issued, in Unix seconds.
    pub issued_at: i64,
    /// `nbf`: not valid before, in Unix seconds. Tokens issued here have none.
    pub not_before: Option<i64>,
    /// `exp`: when it stops being valid, in Unix seconds.
    pub expires_at: i64,
}

/// Why a token could not be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The times are before 1970 or out of order.
    #[error("the token's times are out of order")]
    Times,
    /// The signature could not be made, or the claims would not fit [`MAX_LENGTH`].
    #[error("the token could not be signed")]
    Signing,
}

/// The private key that signs access tokens.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

#[derive(Serialize)]
struct OwnClaims<'a> {
    sid: &'a str,
}

impl SigningKey {
    /// Reads a key as it is configured: the 32-byte seed (RFC 8032's private key) in base64.
    ///
    /// # Errors
    /// [`KeyError`] when the text is something else.
    pub fn from_seed_base64(text: &Secret<String>) -> Result<Self, KeyError> {
        Self::from_seed(&key_text::decode(text)?)
    }

    /// Takes the 32-byte seed itself.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] for a seed that makes no usable key.
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Result<Self, KeyError> {
        let public = ed25519_dalek::SigningKey::from_bytes(seed.expose()).verifying_key();
        // The library wants the seed followed by the public key.
        let mut pair = Zeroizing::new([0; 64]);
        for (target, byte) in pair
            .iter_mut()
            .zip(seed.expose().iter().chain(public.as_bytes()))
        {
            *target = *byte;
        }
        let public = PublicKey::from_bytes(public.to_bytes())?;
        let pair = Ed25519KeyPair::from_bytes(pair.as_slice())
            .map_err(|_| KeyError::Unusable)?
            .with_key_id(public.kid());
        Ok(Self { pair, public })
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `claims` into a compact token.
    ///
    /// # Errors
    /// [`TokenError::Times`] for times before 1970 or an end before the beginning,
    /// [`TokenError::Signing`] when signing fails.
    pub fn issue(&self, claims: &Claims) -> Result<Secret<String>, TokenError> {
        if claims.expires_at <= claims.issued_at {
            return Err(TokenError::Times);
        }
        let claims = JWTClaims {
            issued_at: Some(time_stamp(claims.issued_at)?),
            expires_at: Some(time_stamp(claims.expires_at)?),
            invalid_before: claims.not_before.map(time_stamp).transpose()?,
            issuer: Some(ISSUER.to_owned()),
            subject: Some(claims.subject.clone()),
            audiences: None,
            jwt_id: Some(claims.token_id.clone()),
            nonce: None,
            custom: OwnClaims {
                sid: &claims.session_id,
            },
        };
        let token = self.pair.sign(claims).map_err(|_| TokenError::Signing)?;
        if token.len() > MAX_LENGTH {
            return Err(TokenError::Signing);
        }
        Ok(Secret::new(token))
    }
}

/// What a presented token is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Signed by us and within its time. Whether it was revoked is for the database to say.
    Valid(Claims),
    /// Signed by us, and past its time.
    Expired(Claims),
    /// Signed by us, and before its time: a clock is wrong.
    NotYetValid,
    /// Not a token of the one form that is issued here.
    Malformed,
    /// Right in form, and not signed by the key it names.
    BadSignature,
    /// Names a key that is not known (any more).
    UnknownKey,
}

impl Verdict {
    /// The reason as the API gives it: `expired`, `malformed` or `signature`; nothing for a valid
    /// token.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Valid(_) => None,
            Self::Expired(_) => Some("expired"),
            Self::Malformed | Self::NotYetValid => Some("malformed"),
            Self::BadSignature | Self::UnknownKey => Some("signature"),
        }
    }
}

/// Verifies tokens against the public keys it knows.
pub struct Verifier {
    keys: Vec<PublicKey>,
}

/// The header exactly as it is issued; any other member (`crit`, `jku`, `jwk`…) is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

#[derive(Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    sid: String,
    jti: String,
    iat: i64,
    nbf: Option<i64>,
    exp: i64,
}

/// Claims whose signature is right, whatever the time.
pub(crate) struct Signed {
    pub(crate) kid: String,
    pub(crate) claims: Claims,
}

impl Verifier {
    /// A verifier that accepts tokens of any of `keys`: the current one and, during a change of
    /// keys, the one before.
    #[must_use]
    pub const fn new(keys: Vec<PublicKey>) -> Self {
        Self { keys }
    }

    /// The keys it accepts.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Judges `token` at `now`, in Unix seconds. Takes about a tenth of a millisecond; put a
    /// [`crate::VerdictCache`] before it where tokens come again.
    #[must_use]
    pub fn verify(&self, token: &str, now: i64) -> Verdict {
        match self.signed(token) {
            Ok(signed) => judge_time(signed.claims, now),
            Err(verdict) => verdict,
        }
    }

    /// Everything that [`Verifier::verify`] checks but the time.
    pub(crate) fn signed(&self, token: &str) -> Result<Signed, Verdict> {
        if token.len() > MAX_LENGTH {
            return Err(Verdict::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Verdict::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Verdict::Malformed)?;
        let header: Header = part(header)?;
        if header.alg != "EdDSA" || header.typ != "JWT" {
            return Err(Verdict::Malformed);
        }
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| Verdict::Malformed)?;
        let signature = Signature::from_slice(&signature).map_err(|_| Verdict::Malformed)?;
        let key = self.key(&header.kid).ok_or(Verdict::UnknownKey)?;
        key.verifying_key()
            .verify_strict(message.as_bytes(), &signature)
            .map_err(|_| Verdict::BadSignature)?;
        // The content is read only once it is known to be ours.
        let payload: Payload = part(payload)?;
        if payload.iss != ISSUER || payload.exp <= payload.iat {
            return Err(Verdict::Malformed);
        }
        Ok(Signed {
            kid: header.kid,
            claims: Claims {
                subject: payload.sub,
                session_id: payload.sid,
                token_id: payload.jti,
                issued_at: payload.iat,
                not_before: payload.nbf,
                expires_at: payload.exp,
            },
        })
    }

    pub(crate) fn key(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }
}

/// Compares the claims' times with `now` (RFC 7519, sections 4.1.4 to 4.1.6).
pub(crate) fn judge_time(claims: Claims, now: i64) -> Verdict {
    let earliest = claims.not_before.unwrap_or(i64::MIN).max(claims.issued_at);
    if now.saturating_add(LEEWAY_SECONDS) < earliest {
        Verdict::NotYetValid
    } else if now >= claims.expires_at {
        Verdict::Expired(claims)
    } else {
        Verdict::Valid(claims)
    }
}

fn part<T: for<'de> Deserialize<'de>>(encoded: &str) -> Result<T, Verdict> {
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| Verdict::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Verdict::Malformed)
}

fn time_stamp(seconds: i64) -> Result<UnixTimeStamp, TokenError> {
    // Above 2^32 seconds (the year 2106) the library's clock type would wrap around.
    u32::try_from(seconds)
        .map(|seconds| UnixTimeStamp::from_secs(u64::from(seconds)))
        .map_err(|_| TokenError::Times)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
