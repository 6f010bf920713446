//! The JSON that goes out and comes in, where it is not a type of its own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::CallError;
use crate::outcome::{NewPost, Refusal};
use crate::post::Vocabulary;
use crate::problem::Problem;
use crate::transport::Answer;
use crate::{answer, code};

#[derive(Serialize)]
pub(crate) struct CreateBody<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply<'a>>,
}

#[derive(Serialize)]
struct Reply<'a> {
    in_reply_to_tweet_id: &'a str,
}

impl<'a> From<&NewPost<'a>> for CreateBody<'a> {
    fn from(post: &NewPost<'a>) -> Self {
        Self {
            text: post.text,
            reply: post.in_reply_to.map(|id| Reply {
                in_reply_to_tweet_id: id,
            }),
        }
    }
}

/// `{"data": …}` of a created post. Nothing but the id is relied on.
#[derive(Deserialize)]
pub(crate) struct CreatedBody {
    pub(crate) data: CreatedId,
}

#[derive(Deserialize)]
pub(crate) struct CreatedId {
    #[serde(deserialize_with = "crate::post::id")]
    pub(crate) id: String,
}

#[derive(Deserialize)]
pub(crate) struct DeletedBody {
    pub(crate) data: DeletedFlag,
}

#[derive(Deserialize)]
pub(crate) struct DeletedFlag {
    pub(crate) deleted: bool,
}

/// The envelope of every reading call.
#[derive(Deserialize)]
pub(crate) struct Envelope {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Value>,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    result_count: Option<u64>,
    next_token: Option<String>,
}

impl Envelope {
    pub(crate) fn read(answer: &Answer) -> Result<Self, CallError> {
        serde_json::from_slice(&answer.body).map_err(|_| {
            CallError::Unknown(answer::unusable(
                answer,
                "the answer is not the expected JSON",
            ))
        })
    }

    /// The data. Without any, the first of `errors` says why.
    pub(crate) fn one<T: DeserializeOwned>(self, status: u16) -> Result<T, CallError> {
        match self.data {
            Some(data) => serde_json::from_value(data)
                .map_err(|_| CallError::malformed(status, "the data is not as expected")),
            None => Err(self.without_data(status)),
        }
    }

    /// A list. An empty one has no `data` on X, but says so in `meta`: without that, nothing may
    /// be concluded from the absence.
    pub(crate) fn list<T: DeserializeOwned>(
        self,
        status: u16,
    ) -> Result<(Vec<T>, Option<String>), CallError> {
        let counted = self.meta.as_ref().and_then(|meta| meta.result_count);
        if self.data.is_none() && !(counted == Some(0) && self.errors.is_empty()) {
            return Err(self.without_data(status));
        }
        let items = match self.data {
            Some(data) => serde_json::from_value(data)
                .map_err(|_| CallError::malformed(status, "the data is not as expected"))?,
            None => Vec::new(),
        };
        let next = self.meta.and_then(|meta| meta.next_token);
        Ok((items, next.filter(|token| !token.is_empty())))
    }

    /// Posts asked for by id, where `errors` names the missing ones.
    pub(crate) fn found_and_missing<T: DeserializeOwned>(
        self,
        status: u16,
    ) -> Result<Vec<T>, CallError> {
        match self.data {
            Some(data) => serde_json::from_value(data)
                .map_err(|_| CallError::malformed(status, "the data is not as expected")),
            None if self.errors.is_empty() => Err(self.without_data(status)),
            None => Ok(Vec::new()),
        }
    }

    fn without_data(&self, status: u16) -> CallError {
        let Some(error) = self.errors.first() else {
            return CallError::malformed(status, "an answer without data");
        };
        let problem = Problem::of_value(error);
        CallError::Refused(Refusal {
            status,
            code: match problem.slug.as_str() {
                "resource-not-found" => code::NOT_FOUND,
                _ => code::NOT_AUTHORIZED,
            },
            detail: problem.sentence(),
        })
    }
}

/// The query names of the fields that [`crate::Post`] reads.
pub(crate) fn post_fields(vocabulary: Vocabulary, metrics: bool) -> (&'static str, &'static str) {
    match (vocabulary, metrics) {
        (Vocabulary::Legacy, false) => (
            "tweet.fields",
            "created_at,entities,edit_history_tweet_ids,note_tweet,referenced_tweets,author_id,\
             conversation_id,in_reply_to_user_id",
        ),
        (Vocabulary::Legacy, true) => (
            "tweet.fields",
            "created_at,public_metrics,non_public_metrics",
        ),
        // The author, the references and the versions are expansions here, which X bills.
        (Vocabulary::Current, false) => (
            "post.fields",
            "created_at,entities,note_post,conversation_id",
        ),
        (Vocabulary::Current, true) => (
            "post.fields",
            "created_at,public_metrics,non_public_metrics",
        ),
    }
}
