//! Looking for a post whose outcome nobody knows, on the account's own timeline.

use std::time::Duration;

use chrono::DateTime;
use vivesphere_db::Database;
use vivesphere_domain::publishing::{self, Doubt, Effect, Outcome};
use vivesphere_domain::{Error, Instant};
use vivesphere_http::access_tokens::{Token, Tokens};
use vivesphere_x_api::{CallError, Client, Post, TimelineQuery, matches};

use crate::decide::{self, Rules};

/// X's clock and ours may differ by this much.
const BEFORE_MILLISECONDS: i64 = 60_000;
/// Pages that are read; more in the minutes since would be another program's doing.
const PAGES: usize = 10;

fn found(id: String) -> Outcome {
    Outcome {
        name: "sent",
        http_status: None,
        code: "reconciled".to_owned(),
        detail: "found on the account's timeline".to_owned(),
        effect: Effect::Sent(id),
        allowances: Vec::new(),
        posts_read: 0,
    }
}

/// One look for one post.
pub(crate) struct Look<'a> {
    pub(crate) db: &'a Database,
    pub(crate) client: &'a Client,
    pub(crate) tokens: &'a Tokens,
    pub(crate) doubt: &'a Doubt,
    pub(crate) rules: &'a Rules,
    /// How long a call may take.
    pub(crate) timeout: Duration,
}

impl Look<'_> {
    /// What is known of the post now, and how many posts were read for it.
    pub(crate) async fn run(&self) -> Result<Outcome, Error> {
        let mut posts_read = 0;
        let outcome = match &self.doubt.noted_id {
            Some(id) => found(id.clone()),
            None => self.through(&mut posts_read).await?,
        };
        Ok(Outcome {
            posts_read,
            ..outcome
        })
    }

    async fn through(&self, posts_read: &mut u32) -> Result<Outcome, Error> {
        let Self { doubt, rules, .. } = self;
        let mut token = match self
            .tokens
            .of(&doubt.bot_id, doubt.credentials_version)
            .await
        {
            Ok(token) => token,
            Err(none) => return Ok(decide::look_without_token(&none, doubt.failures, rules)),
        };
        let start = doubt.since.plus_millis(-BEFORE_MILLISECONDS);
        let mut next: Option<String> = None;
        let mut refreshed = false;
        let mut pages = 0;
        while pages < PAGES {
            if let Some(ends) = self.may_not_read(&token) {
                return Ok(ends);
            }
            let query = TimelineQuery {
                start_time: DateTime::from_timestamp_millis(start.unix_millis()),
                max_results: Some(100),
                pagination_token: next.as_deref(),
            };
            let access_token = token.access_token.expose();
            let page = match self
                .client
                .user_posts(access_token, &token.x_user_id, &query)
                .await
            {
                Ok(page) => page,
                Err(CallError::Unauthorized(_)) if !refreshed => {
                    refreshed = true;
                    match self.tokens.instead_of(&doubt.bot_id, &token).await {
                        Ok(other) => token = other,
                        Err(none) => {
                            return Ok(decide::look_without_token(&none, doubt.failures, rules));
                        }
                    }
                    continue;
                }
                Err(error) => return Ok(self.not_shown(&error, &token).await),
            };
            pages += 1;
            *posts_read += u32::try_from(page.posts.len()).unwrap_or(0);
            if let Some(id) = self.among(&page.posts).await? {
                return Ok(found(id));
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(absent(doubt, rules));
            }
        }
        // Nor would the next look read all of it: it only grows.
        let detail = "the timeline is longer than what is read";
        Ok(decide::looked("timeline_too_long", detail, Effect::GiveUp))
    }

    /// What is written where the next page is not to be read: on another account the post is not, and a
    /// call that could outlive the lease would go on while another worker looks.
    fn may_not_read(&self, token: &Token) -> Option<Outcome> {
        let Self { doubt, rules, .. } = self;
        if doubt
            .x_user_id
            .as_ref()
            .is_some_and(|account| *account != token.x_user_id)
        {
            let detail = "it may be on the account that the bot acted as before: `retry` looks for it \
                on its account of now, and sends it there";
            return Some(decide::looked("account_changed", detail, Effect::GiveUp));
        }
        if doubt.leased_until < Instant::now().plus(self.timeout) {
            let detail = "reading the timeline took too long";
            return Some(decide::could_not_look(
                "lease_too_short",
                detail,
                None,
                doubt.failures,
                rules,
            ));
        }
        None
    }

    /// X's id of the post, if it is one of these. Oldest last: of several equal ones the earliest is
    /// taken.
    async fn among(&self, posts: &[Post]) -> Result<Option<String>, Error> {
        let doubt = self.doubt;
        for post in posts.iter().rev() {
            if matches(&doubt.text, doubt.in_reply_to.as_deref(), post)
                && !publishing::is_adopted(self.db, &doubt.bot_id, &post.id).await?
            {
                return Ok(Some(post.id.clone()));
            }
        }
        Ok(None)
    }

    async fn not_shown(&self, error: &CallError, token: &Token) -> Outcome {
        let Self { doubt, rules, .. } = self;
        let outcome = decide::not_shown(error, doubt.failures, rules);
        let of_the_credentials = matches!(
            error,
            CallError::Unauthorized(_) | CallError::AccountBlocked(_)
        );
        if of_the_credentials && replaced(self.db, &doubt.bot_id, token).await {
            return decide::looked(
                "credentials_changed",
                "the bot's credentials were replaced while they were used",
                Effect::LookAt(rules.now.plus(rules.reconcile_delay)),
            );
        }
        outcome
    }
}

/// Whether a person has stored other credentials since this token was handed out.
pub(crate) async fn replaced(db: &Database, bot_id: &str, token: &Token) -> bool {
    let stored = publishing::credentials_version(db, bot_id).await;
    stored.is_ok_and(|version| version > token.version)
}

/// Certainly not on X: sent again, unless X refused it as a duplicate or no attempt is left.
fn absent(doubt: &Doubt, rules: &Rules) -> Outcome {
    let duplicate = doubt.last_code == "duplicate_content";
    Outcome {
        name: "refused",
        http_status: None,
        code: doubt.last_code.clone(),
        detail: "it is not on the account's timeline".to_owned(),
        effect: if duplicate {
            Effect::Failed
        } else {
            rules.again_or_failed()
        },
        allowances: Vec::new(),
        posts_read: 0,
    }
}

/// The rules of this moment, for a post that has spent some attempts.
pub(crate) fn rules(template: &Rules, spent: u32, random: u64) -> Rules {
    Rules {
        now: Instant::now(),
        spent,
        random,
        ..*template
    }
}
