//! Who is asking: the service key, an access key, or an access token made by `auth`.

use std::cell::RefCell;

use vivesphere_config as config;
use vivesphere_db::Database;
use vivesphere_domain::access_keys::{self, KeyText, Presented as Key};
use vivesphere_domain::{Instant, Principal, sessions, signing_keys};
use vivesphere_tokens::{Verdict, VerdictCache, Verifier};

use crate::Problem;

// True for everyone: the public keys, and whether a token's signature is good, by the token's
// hash. Whether its session still lives is asked of the database each time.
static VERDICTS: VerdictCache = VerdictCache::new();
thread_local! {
    static VERIFIER: RefCell<Verifier> = const { RefCell::new(Verifier::new(Vec::new())) };
}

/// Who it is.
pub(crate) enum Credentials {
    None,
    Service,
    /// Asked of the database: what is kept there is true now. Neither a signature nor a checksum
    /// tells whether a token or a key was revoked, and whoever has found one, or has made up a key with
    /// another's id, would otherwise spend that one's requests.
    Known(Principal),
    Refused(Problem),
}

/// What a request has with it.
pub(crate) enum Presented {
    Credentials(Credentials),
    /// What the signature alone says. [`principal`] asks for the rest.
    Token(vivesphere_tokens::Claims),
}

/// A user as a client: all keys of a user share the user's budget, and making more of them gives no
/// more.
pub(crate) fn user(id: &str) -> String {
    ["user:", id].concat()
}

impl Credentials {
    /// Whose rate-limit tokens are spent.
    pub(crate) fn client(&self, address: impl FnOnce() -> String) -> String {
        match self {
            Self::Known(principal) => user(&principal.id),
            _ => ["address:", &address()].concat(),
        }
    }
}

/// Reads the credentials of a request.
pub(crate) async fn presented(
    db: &Database,
    bearer: Option<&str>,
    now: Instant,
) -> Result<Presented, Problem> {
    let Some(token) = bearer else {
        return Ok(Presented::Credentials(Credentials::None));
    };
    // Only a component that is called by others is granted the key.
    if let Ok(key) = config::secret_text("service_key").await
        && vivesphere_crypto::is_service_key(token, key)
    {
        return Ok(Presented::Credentials(Credentials::Service));
    }
    if token.starts_with(access_keys::PREFIX) {
        return access_key(db, token, now).await.map(Presented::Credentials);
    }
    Ok(match verify(db, token, now).await? {
        Verdict::Valid(claims) => Presented::Token(claims),
        verdict => {
            let (code, reason) = match verdict.reason() {
                Some("expired") => ("token_expired", "it has expired"),
                Some("signature") => ("token_signature", "its signature is not ours"),
                _ => ("token_malformed", "it cannot be read"),
            };
            let detail = format!("The token is not valid: {reason}.");
            Presented::Credentials(Credentials::Refused(Problem::unauthorized(code, detail)))
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
        Key::Good(principal) => Credentials::Known(principal),
        Key::Expired => Credentials::Refused(Problem::unauthorized(
            "access_key_expired",
            "The access key has expired.",
        )),
        Key::Unknown => Credentials::Refused(Problem::unauthorized(
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

/// Whose a token is whose signature is good, if its session and its user still live.
pub(crate) async fn principal(
    db: &Database,
    claims: &vivesphere_tokens::Claims,
    now: Instant,
) -> Result<Credentials, Problem> {
    let principal = sessions::principal(db, &claims.session_id, &claims.subject, now).await?;
    Ok(principal.map_or_else(
        || {
            let detail = "The token is no longer valid: revoked.";
            Credentials::Refused(Problem::unauthorized("token_revoked", detail))
        },
        Credentials::Known,
    ))
}
