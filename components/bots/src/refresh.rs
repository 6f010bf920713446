//! Renewing a bot's tokens: one at a time per bot, and the new pair stored before it is used.

use std::time::Duration;

use spin_sdk::time::sleep;
use vivesphere_domain::token_refreshes::{self, Ended, Held, Lease};
use vivesphere_domain::{Instant, bots};
use vivesphere_http::{Context, Problem, StatusCode, internal};
use vivesphere_x_api::TokenError;

use crate::credentials::{
    self, Stored, app, client, credentials_changed, needs_reauth, reveal, try_to_store,
};

/// Before a pair that could not be stored is stored again: doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// How long before the lease's end the last try begins.
const LAST_TRY_MILLISECONDS: i64 = 5_000;

/// A new pair in place of the one of this version, unless there is another already.
pub(crate) async fn refresh(
    context: &Context,
    bot_id: &str,
    rejected: i64,
) -> Result<(i64, Stored), Problem> {
    let timeout = credentials::timeout().await?;
    let held = match token_refreshes::take(&context.db, bot_id, timeout).await? {
        Lease::Taken(held) => held,
        Lease::Wait(seconds) => return Err(waits(seconds)),
    };
    // Read again under the lease: another may have refreshed since.
    let (version, old) = reveal(context, bot_id).await?;
    if version != rejected {
        token_refreshes::done(&context.db, bot_id, held, Ended::Unneeded).await?;
        return Ok((version, old));
    }
    let Some(refresh_token) = old.refresh_token else {
        token_refreshes::done(&context.db, bot_id, held, Ended::Refused).await?;
        return Err(needs_reauth(context, bot_id, version, "no_refresh_token").await?);
    };
    // Were the token sent now, another could send it, too, before this call has ended.
    if !held.outlasts(timeout) {
        token_refreshes::done(&context.db, bot_id, held, Ended::Unneeded).await?;
        return Err(waits(1));
    }
    let answer = client()
        .await?
        .refresh(app().await?, refresh_token.expose())
        .await;
    match answer {
        Ok(tokens) => {
            let stored = Stored::new(tokens, Some(refresh_token));
            // Stored before it is used: the old refresh token is spent.
            let next = keep(context, bot_id, version, &stored, held).await?;
            bots::renewed(&context.db, bot_id, version, next).await?;
            token_refreshes::done(&context.db, bot_id, held, Ended::Refreshed).await?;
            Ok((next, stored))
        }
        Err(TokenError::GrantDead(refusal)) => {
            token_refreshes::done(&context.db, bot_id, held, Ended::Refused).await?;
            Err(needs_reauth(context, bot_id, version, refusal.code).await?)
        }
        Err(error) => {
            let wait = token_refreshes::failed(&context.db, bot_id, held).await?;
            let problem = match &error {
                // Every token is kept: it is the deployment's matter, and passes with its mending.
                TokenError::AppProblem(_) => Problem::unavailable(
                    "x_app_refused",
                    "X does not accept this deployment's app: check its client id and secret.",
                    wait,
                ),
                _ => {
                    let detail = "X did not refresh the token now.";
                    Problem::unavailable("refresh_failed", detail, wait)
                }
            };
            Err(problem.caused_by(error))
        }
    }
}

fn waits(seconds: u64) -> Problem {
    Problem::unavailable(
        "refresh_waits",
        "The token is being refreshed, or the last try failed a moment ago.",
        seconds,
    )
}

/// Stores the new pair, again and again while the lease lasts: with it the grant would be lost, for
/// the old refresh token is spent. Gives back its version.
async fn keep(
    context: &Context,
    bot_id: &str,
    version: i64,
    stored: &Stored,
    held: Held,
) -> Result<i64, Problem> {
    let mut wait = FIRST_WAIT;
    loop {
        let error = match try_to_store(context, bot_id, Some(version), stored).await {
            Ok(next) => return Ok(next),
            Err(error) => error,
        };
        match &error {
            // The bot was deleted meanwhile.
            internal::Error::Refused { status, .. } if *status == StatusCode::NOT_FOUND => {
                return Err(Problem::not_found());
            }
            // Another version is there: this pair, if an answer of the vault was lost, or one that a
            // person has stored.
            internal::Error::Refused { status, .. }
                if *status == StatusCode::PRECONDITION_FAILED =>
            {
                if let Ok((current, there)) = reveal(context, bot_id).await {
                    let is_this = there.access_token.expose() == stored.access_token.expose();
                    return is_this.then_some(current).ok_or_else(credentials_changed);
                }
            }
            _ => {}
        }
        let left = held.until.millis_since(Instant::now().plus(wait));
        if left < LAST_TRY_MILLISECONDS {
            // The lease runs out by itself where this fails, too.
            token_refreshes::failed(&context.db, bot_id, held)
                .await
                .ok();
            let detail = "X renewed the token, but the vault did not keep the new pair: the bot may \
                have to be connected again.";
            return Err(Problem::unavailable("refresh_not_stored", detail, 5).caused_by(error));
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
