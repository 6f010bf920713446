//! Who is asking: the service key, an access key, or an access token made by `auth`.

use std::cell::RefCell;

use vivesphere_config as config;
use vivesphere_db::Database;
use vivesphere_domain::access_keys::{self, KeyText, Presented};
use vivesphere_domain::{Instant, Principal, sessions, signing_keys};
use vivesphere_tokens::{Verdict, VerdictCache, Verifier};

use crate::Problem;

// True for everyone: the public keys, and whether a token's signature is good, by the token's
// hash. Whether its session still lives is asked of the database each time.
static VERDICTS: VerdictCache = VerdictCache::new();
thread_local! {
    static VERIFIER: RefCell<Verifier> = const { RefCell::new(Verifier::new(Vec::new())) };
}

/// Who it is, as far as that is needed to know whose rate limit it is.
pub(crate) enum Credentials {
    None,
    Service,
    /// What the signature alone says. The rest needs the database.
    Token(vivesphere_tokens::Claims),
    /// Asked of the database already: the checksum is no signature, and whoever made up a key
    /// with another's id would otherwise spend that one's requests.
    AccessKey(Principal),
    Refused(Problem),
}

impl Credentials {
    /// Whose rate-limit tokens are spent. All keys of a user share the user's: making more of
    /// them gives no more.
    pub(crate) fn client(&self, address: impl FnOnce() -> String) -> String {
        match self {
            Self::Token(claims) => ["user:", &claims.subject].concat(),
            Self::AccessKey(principal) => ["user:", &principal.id].concat(),
            _ => ["address:", &address()].concat(),
        }
    }
}

/// Reads the credentials of a request.
pub(crate) async fn credentials(
    db: &Database,
    bearer: Option<&str>,
    now: Instant,
) -> Result<Credentials, Problem> {
    let Some(token) = bearer else {
        return Ok(Credentials::None);
    };
    // Only a component that is called by others is granted the key.
    if let Ok(key) = config::secret_text("service_key").await
        && vivesphere_crypto::is_service_key(token, key)
    {
        return Ok(Credentials::Service);
    }
    if token.starts_with(access_keys::PREFIX) {
        return access_key(db, token, now).await;
    }
    Ok(match verify(db, token, now).await? {
        Verdict::Valid(claims) => Credentials::Token(claims),
        verdict => {
            let (code, reason) = match verdict.reason() {
                Some("expired") => ("token_expired", "it has expired"),
                Some("signature") => ("token_signature", "its signature is not ours"),
                _ => ("token_malformed", "it cannot be read"),
            };
            let detail = format!("The token is not valid: {reason}.");
            Credentials::Refused(Problem::unauthorized(code, detail))
        }
    })
}

/// A text that is mistyped or made up is refused by its checksum, without the database.
async fn access_key(db: &Database, text: &str, now: Instant) -> Result<Credentials, Problem> {
    let Some(key) = KeyText::parse(text) else {
        return Ok(Credentials::Refused(Problem::unauthorized(
            "access_key_malformed",
            "The access key is mistyped or incomplete: its checksum is wrong.",
        )));
    };
    Ok(match access_keys::present(db, &key, now).await? {
        Presented::Good(principal) => Credentials::AccessKey(principal),
        Presented::Expired => Credentials::Refused(Problem::unauthorized(
            "access_key_expired",
            "The access key has expired.",
        )),
        Presented::Unknown => Credentials::Refused(Problem::unauthorized(
            "access_key_unknown",
            "The access key is unknown or revoked.",
        )),
    })
}

/// What a token's signature and times say. A key that is not known yet is looked up once.
pub async fn verify(
    db: &Database,
    token: &str,
    now: Instant,
) -> Result<Verdict, vivesphere_db::Error> {
    let seconds = now.unix_millis().div_euclid(1000);
    let verdict = verdict_of(token, seconds);
    if !matches!(verdict, Verdict::UnknownKey) {
        return Ok(verdict);
    }
    let keys = signing_keys::current(db, now).await?;
    VERIFIER.set(Verifier::new(keys));
    Ok(verdict_of(token, seconds))
}

fn verdict_of(token: &str, now: i64) -> Verdict {
    VERIFIER.with_borrow(|verifier| VERDICTS.verify(verifier, token, now))
}

/// The principal of a token whose signature is good, if its session and its user still live.
pub(crate) async fn principal(
    db: &Database,
    claims: &vivesphere_tokens::Claims,
    now: Instant,
) -> Result<Principal, Problem> {
    sessions::principal(db, &claims.session_id, &claims.subject, now)
        .await?
        .ok_or_else(|| {
            Problem::unauthorized("token_revoked", "The token is no longer valid: revoked.")
        })
}
