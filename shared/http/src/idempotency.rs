//! `Idempotency-Key` on creating calls: the same key and body give the first answer again.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use vivesphere_crypto::sha256_hex;
use vivesphere_db::Database;
use vivesphere_domain::{Instant, idempotency_keys as keys};

use crate::route::RequestDigest;
use crate::{FieldError, Problem, Reply};

/// A key that this request holds until its answer is kept or the key is let go.
pub(crate) struct Held {
    principal_id: String,
    key: String,
    request_id: String,
    taken_at: Instant,
}

/// What the key says.
pub(crate) enum Begun {
    /// No key was sent.
    Without,
    /// The first request with this key: it is to be answered, then kept.
    First(Held),
    /// Answered before.
    Again(Reply),
}

/// What most requests are known by: what they hold is either no secret or no text that can be guessed.
pub(crate) fn sha256(request: &[u8], _salt: &[u8]) -> Result<String, Problem> {
    Ok(sha256_hex(request))
}

/// Looks at the key of a request and takes it when it is new.
pub(crate) async fn begin(
    db: &Database,
    headers: &HeaderMap,
    principal_id: &str,
    (request_id, digest, request): (&str, RequestDigest, &[&[u8]]),
) -> Result<Begun, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(Begun::Without);
    };
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > 255 {
        return Err(Problem::malformed(
            "Idempotency-Key must have 1 to 255 visible characters.",
        ));
    }
    let salt = format!("{principal_id}\n{key}");
    let hash = digest(&request.join(&b"\n"[..]), salt.as_bytes())?;
    // Not when the request began: a body that is slow to come, or the digest, would make the hold look
    // abandoned before its time, and the next try would do the same beside this one.
    let now = Instant::now();
    match keys::take(db, principal_id, key, (request_id, &hash), now).await? {
        keys::Taken::New => Ok(Begun::First(Held {
            principal_id: principal_id.to_owned(),
            key: key.to_owned(),
            request_id: request_id.to_owned(),
            taken_at: now,
        })),
        keys::Taken::Answered {
            status,
            body: Some(body),
        } => {
            let status = StatusCode::from_u16(status).map_err(Problem::internal)?;
            let reply = if body.is_empty() {
                let mut reply = Reply::no_content();
                reply.status = status;
                reply
            } else {
                Reply::new(status, "application/json", body)
            };
            let replayed = HeaderName::from_static("idempotency-replayed");
            let reply = reply.header(replayed, HeaderValue::from_static("true"));
            Ok(Begun::Again(reply))
        }
        keys::Taken::Answered { body: None, .. } => Err(Problem::new(
            StatusCode::CONFLICT,
            "idempotency_answer_not_kept",
            "This was done before. Its answer held a secret, which is shown once and not kept.",
        )),
        keys::Taken::BeingAnswered => Err(Problem::new(
            StatusCode::CONFLICT,
            "idempotency_key_in_use",
            "The first request with this key is still being answered.",
        )
        .retry_after(1)),
        keys::Taken::AnswerLost => Err(Problem::new(
            StatusCode::CONFLICT,
            "idempotency_answer_lost",
            "This was done before, and its answer was lost: look at what there is before sending \
             it with another key.",
        )),
        keys::Taken::OtherRequest => {
            let mut problem = Problem::invalid(vec![FieldError {
                pointer: String::new(),
                detail: "this key was used with another request".to_owned(),
            }]);
            problem.code = "idempotency_key_reused";
            Err(problem)
        }
    }
}

impl Held {
    /// Keeps the answer of a request that changed something, lets the key go otherwise. What is
    /// secret in it is not kept: it would lie in the database in plain text. Of a confidential
    /// route's answer only that it was given is.
    pub(crate) async fn finish(
        self,
        db: &Database,
        result: &Result<Reply, Problem>,
        confidential: bool,
    ) -> Result<(), vivesphere_db::Error> {
        let hold = keys::Hold {
            principal_id: &self.principal_id,
            key: &self.key,
            request_id: &self.request_id,
            taken_at: self.taken_at,
        };
        match result {
            Ok(reply) => {
                let body = reply.kept.as_ref().unwrap_or(&reply.body);
                let body = String::from_utf8_lossy(body);
                let body = (!confidential).then_some(&*body);
                keys::answer(db, &hold, reply.status.as_u16(), body).await
            }
            Err(_) => keys::release(db, &hold).await,
        }
    }
}
