//! Looking for a post whose outcome nobody knows, on the account's own timeline.

use chrono::DateTime;
use vivesphere_db::Database;
use vivesphere_domain::Instant;
use vivesphere_domain::publishing::{self, Doubt, Effect, Outcome};
use vivesphere_http::access_tokens::Tokens;
use vivesphere_x_api::{CallError, Client, TimelineQuery, matches};

use crate::decide::Rules;

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

fn look_again(code: &str, detail: String, rules: &Rules) -> Outcome {
    Outcome {
        name: "unknown",
        http_status: None,
        code: code.to_owned(),
        detail,
        effect: Effect::LookAt(rules.now.plus(rules.reconcile_delay)),
        allowances: Vec::new(),
        posts_read: 0,
    }
}

/// What is known of the post now, and how many posts were read for it.
pub(crate) async fn look(
    db: &Database,
    client: &Client,
    tokens: &Tokens,
    doubt: &Doubt,
    rules: &Rules,
) -> Result<Outcome, vivesphere_domain::Error> {
    let mut posts_read = 0;
    let outcome = look_through(db, client, tokens, doubt, rules, &mut posts_read).await?;
    Ok(Outcome {
        posts_read,
        ..outcome
    })
}

async fn look_through(
    db: &Database,
    client: &Client,
    tokens: &Tokens,
    doubt: &Doubt,
    rules: &Rules,
    posts_read: &mut u32,
) -> Result<Outcome, vivesphere_domain::Error> {
    if let Some(id) = &doubt.noted_id {
        return Ok(found(id.clone()));
    }
    let mut token = match tokens.of(&doubt.bot_id, doubt.credentials_version).await {
        Ok(token) => token,
        Err(none) => return Ok(look_again(&none.code, none.detail, rules)),
    };
    let start = doubt.since.plus_millis(-BEFORE_MILLISECONDS);
    let mut next: Option<String> = None;
    let mut refreshed = false;
    let mut pages = 0;
    while pages < PAGES {
        let query = TimelineQuery {
            start_time: DateTime::from_timestamp_millis(start.unix_millis()),
            max_results: Some(100),
            pagination_token: next.as_deref(),
        };
        let access_token = token.access_token.expose();
        let page = match client
            .user_posts(access_token, &token.x_user_id, &query)
            .await
        {
            Ok(page) => page,
            Err(CallError::Unauthorized(_)) if !refreshed => {
                refreshed = true;
                match tokens.instead_of(&doubt.bot_id, &token).await {
                    Ok(other) => token = other,
                    Err(none) => return Ok(look_again(&none.code, none.detail, rules)),
                }
                continue;
            }
            Err(CallError::RateLimited(limited)) => {
                let later = look_again("rate_limited", limited.refusal.detail.clone(), rules);
                return Ok(Outcome {
                    effect: Effect::LookAt(rules.reset(limited.until)),
                    ..later
                });
            }
            Err(error) => return Ok(look_again(error.code(), error.to_string(), rules)),
        };
        pages += 1;
        *posts_read += u32::try_from(page.posts.len()).unwrap_or(0);
        // Oldest last: of several equal ones the earliest is taken.
        for post in page.posts.iter().rev() {
            if matches(&doubt.text, doubt.in_reply_to.as_deref(), post)
                && !publishing::is_adopted(db, &doubt.bot_id, &post.id).await?
            {
                return Ok(found(post.id.clone()));
            }
        }
        next = page.next_token;
        if next.is_none() {
            return Ok(absent(doubt, rules));
        }
    }
    let detail = "the timeline is longer than what is read".to_owned();
    Ok(look_again("timeline_too_long", detail, rules))
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
