//! Answers that an instance gives again while nothing that they were made of has changed.
//!
//! What a kept answer was made of is the path with its query, the principal with what it may do at
//! this moment, and rows of bots. The principal is looked up at every request, and with it comes the
//! change number of the bots, before any of them is read: an answer of that number has seen that
//! change and every one before. So nobody gets an answer that is older than the own request.

use std::cell::RefCell;
use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri, header};
use vivesphere_domain::Principal;

use crate::{Reply, entity_tag};

/// Most answers that are kept, and most bytes of their bodies.
const ANSWERS: usize = 64;
const BYTES: usize = 1 << 20;

/// Whose answer to what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(String);

impl Key {
    fn new(principal: &Principal, uri: &Uri) -> Self {
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        Self(format!("{} {path}", principal.actor_id()))
    }
}

#[derive(Debug)]
struct Answer {
    principal: Principal,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Debug, Default)]
struct Answers {
    answers: HashMap<Key, Answer>,
    bytes: usize,
}

thread_local! {
    static ANSWERED: RefCell<Answers> = RefCell::default();
}

impl Answers {
    fn get(&self, key: &Key, principal: &Principal) -> Option<Reply> {
        let answer = self.answers.get(key)?;
        (answer.principal == *principal).then(|| Reply {
            status: StatusCode::OK,
            headers: answer.headers.clone(),
            body: answer.body.clone(),
            kept: None,
            stream: None,
        })
    }

    fn keep(&mut self, key: Key, principal: Principal, reply: &Reply) {
        let length = reply.body.len();
        if length > BYTES / 4 {
            return;
        }
        if let Some(before) = self.answers.remove(&key) {
            self.bytes -= before.body.len();
        }
        if self.answers.len() >= ANSWERS || self.bytes + length > BYTES {
            self.answers.clear();
            self.bytes = 0;
        }
        self.bytes += length;
        let answer = Answer {
            principal,
            headers: reply.headers.clone(),
            body: reply.body.clone(),
        };
        self.answers.insert(key, answer);
    }
}

/// Gives a principal's answer again, or takes the one that is made now. A route names it, so that
/// components without such a route are built without all this.
pub type Keeper = fn(&Principal, &Uri) -> Kept;

/// What a [`Keeper`] has.
pub enum Kept {
    /// The answer.
    Again(Reply),
    /// None yet: what keeps it, once it is made for the principal as it is now.
    NotYet(Box<dyn FnOnce(&mut Reply)>),
}

/// The keeper of answers that are made of rows of bots.
pub(crate) fn of_bots(principal: &Principal, uri: &Uri) -> Kept {
    let key = Key::new(principal, uri);
    if let Some(reply) = ANSWERED.with_borrow(|answers| answers.get(&key, principal)) {
        return Kept::Again(reply);
    }
    let principal = principal.clone();
    Kept::NotYet(Box::new(move |reply| keep(key, principal, reply)))
}

fn keep(key: Key, principal: Principal, reply: &mut Reply) {
    if reply.status != StatusCode::OK || reply.stream.is_some() {
        return;
    }
    if let Some(tag) = entity_tag::of(&reply.body) {
        reply.headers.insert(header::ETAG, tag);
    }
    ANSWERED.with_borrow_mut(|answers| answers.keep(key, principal, reply));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(length: usize) -> Reply {
        Reply::new(StatusCode::OK, "application/json", vec![b' '; length])
    }

    fn key(path: &str) -> Key {
        let uri: Uri = path.parse().expect("a path");
        Key::new(&Principal::service(), &uri)
    }

    #[test]
    fn it_is_given_again_until_a_bot_or_the_principal_changes() {
        let principal = Principal::service();
        let mut answers = Answers::default();
        answers.keep(key("/list"), principal.clone(), &reply(10));
        let again = answers.get(&key("/list"), &principal);
        assert_eq!(again.map(|reply| reply.body.len()), Some(10));
        assert!(answers.get(&key("/list?limit=1"), &principal).is_none());
        let later = Principal {
            bots_change: 1,
            ..principal.clone()
        };
        let restricted = Principal {
            bot_ids: Some(Vec::new()),
            ..principal
        };
        for other in [later, restricted] {
            assert!(answers.get(&key("/list"), &other).is_none());
        }
    }

    #[test]
    fn a_bounded_amount_is_kept() {
        let principal = Principal::service();
        let mut answers = Answers::default();
        for (length, number) in [10, BYTES / 5, BYTES / 4, BYTES / 4 + 1]
            .into_iter()
            .flat_map(|length| (0..2 * ANSWERS).map(move |number| (length, number)))
        {
            let key = key(&format!("/{number}"));
            answers.keep(key.clone(), principal.clone(), &reply(length));
            let kept = answers.get(&key, &principal);
            let length_kept = kept.map(|reply| reply.body.len());
            assert_eq!(length_kept == Some(length), length <= BYTES / 4);
            let bytes: usize = answers.answers.values().map(|kept| kept.body.len()).sum();
            assert_eq!(answers.bytes, bytes);
            assert!(bytes <= BYTES && answers.answers.len() <= ANSWERS);
        }
    }
}
