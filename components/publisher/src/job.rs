//! One run: claim, send, write, until nothing is due or the budget is used up.

use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use schemars::JsonSchema;
use serde::Serialize;
use spin_sdk::time::sleep;
use vivesphere_config as config;
use vivesphere_crypto::random;
use vivesphere_db::Database;
use vivesphere_domain::publishing::{self, Claimed, Doubt, Effect, Outcome, Standing};
use vivesphere_domain::settings::table::posts as approval;
use vivesphere_domain::settings::table::publisher as setting;
use vivesphere_domain::{Actor, Error, Instant, posts};
use vivesphere_http::access_tokens::Tokens;
use vivesphere_http::{Context, Problem, Reply, RunQuery, TimeBudget};
use vivesphere_x_api::{Client, CreateOutcome, NewPost};

use crate::decide::{self, Rules};
use crate::reconcile;

/// Calls in flight at once, each for another bot.
const AT_ONCE: usize = 32;
/// While calls are in flight, others are claimed when there is room for this many, or after a while:
/// looking through the bots and a commit cost more than one call's row.
const ROOM: usize = AT_ONCE / 4;
const A_WHILE: Duration = Duration::from_millis(50);
/// While nothing is due and something is in flight: what becomes due meanwhile waits no longer.
const IDLE: Duration = Duration::from_secs(1);
/// What is in flight this long after the run's end is slow: others are served until it is over.
const SLOW: Duration = Duration::from_secs(1);

/// What a run has done.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Done {
    claimed: usize,
    published: usize,
    deferred: usize,
    failed: usize,
    unknown: usize,
    /// Posts that nobody approved or rejected in time: drafts again.
    expired: usize,
    remaining: i64,
    duration_ms: i64,
}

impl Done {
    fn count(&mut self, outcome: &Outcome) {
        match outcome.effect {
            Effect::Sent(_) => self.published += 1,
            Effect::Failed => self.failed += 1,
            Effect::LookAt(_)
            | Effect::CouldNotLook(_)
            | Effect::Inconclusive(_)
            | Effect::GiveUp => self.unknown += 1,
            Effect::Again { .. } | Effect::PauseBot | Effect::BotWaits(_) => self.deferred += 1,
        }
    }
}

struct Run {
    db: Database,
    actor: Actor,
    client: Client,
    tokens: Tokens,
    timeout: Duration,
    /// In milliseconds.
    approval_deadline: i64,
    template: Rules,
}

pub(crate) async fn run(context: Context) -> Result<Reply, Problem> {
    let time = context.query::<RunQuery>()?.begin();
    let run = Run::new(&context).await?;
    let delay = i64::try_from(run.template.reconcile_delay.as_millis()).unwrap_or(i64::MAX);
    let timeout = i64::try_from(run.timeout.as_millis()).unwrap_or(i64::MAX);
    publishing::recover(&run.db, &run.actor, timeout, delay).await?;
    let mut done = Done {
        expired: posts::expire_approvals(&run.db, &run.actor, run.approval_deadline).await?,
        ..Done::default()
    };
    run.work(&mut done, &time).await?;
    done.remaining = publishing::remaining(&run.db).await?;
    done.duration_ms = time.spent_ms();
    Reply::ok(&done)
}

impl Run {
    async fn new(context: &Context) -> Result<Self, Problem> {
        let timeout = Duration::from_secs(config::integer("x_request_timeout_seconds").await?);
        let settings = vivesphere_settings::current(&context.db).await?;
        let max_attempts = settings.integer(&setting::PUBLISH_MAX_ATTEMPTS).await?;
        let delay = settings
            .integer(&setting::PUBLISH_RECONCILE_DELAY_SECONDS)
            .await?;
        let approval_deadline = settings
            .integer(&approval::APPROVAL_DEADLINE_SECONDS)
            .await?;
        Ok(Self {
            db: context.db,
            actor: Actor::new(context.principal()?, context.request_id()),
            client: Client::new(config::origin("x_api_base_url").await?, timeout),
            tokens: Tokens::new(context.request_id()),
            timeout,
            approval_deadline: approval_deadline.saturating_mul(1000),
            template: Rules {
                now: Instant::now(),
                spent: 0,
                max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX),
                reconcile_delay: Duration::from_secs(delay.unsigned_abs()),
                random: 0,
            },
        })
    }

    fn rules(&self, spent: u32) -> Rules {
        // Without randomness the backoff is at its longest; nothing else depends on it.
        reconcile::rules(&self.template, spent, random::number().unwrap_or(u64::MAX))
    }

    /// What holds for claims now: a run may outlast a change of the settings.
    async fn claims(&self) -> Result<publishing::Rules, Problem> {
        let settings = vivesphere_settings::current(&self.db).await?;
        let lease = settings.integer(&setting::PUBLISH_LEASE_SECONDS).await?;
        // A lease must outlast a whole call, with the refresh that may stand before it.
        let lease = Duration::from_secs(lease.unsigned_abs())
            .max(self.timeout * 3 + Duration::from_secs(5));
        Ok(publishing::Rules {
            lease_milliseconds: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX),
            daily_post_limit: settings.integer(&setting::DAILY_POST_LIMIT).await?,
            windows: settings
                .publishing_windows(&setting::PUBLISHING_WINDOWS)
                .await?,
        })
    }

    /// Looks for what is in doubt and sends what is due, side by side: neither waits for the other,
    /// and no bot for another's slow call. What they write is written here, between them: a transaction
    /// within one of them would wait, under the lock, for its turn.
    async fn work(&self, done: &mut Done, time: &TimeBudget) -> Result<(), Problem> {
        let last = time.last(self.timeout);
        let slow = time.end().plus(SLOW);
        let (mut calls, mut looks) = (FuturesUnordered::new(), FuturesUnordered::new());
        let (mut next_claim, mut next_look) = (Instant::now(), Instant::now());
        let mut tick = Box::pin(sleep(A_WHILE).fuse());
        loop {
            let now = Instant::now();
            let may_begin = now < time.end() || (slow <= now && now < last);
            let free = AT_ONCE - looks.len();
            if may_begin && free > 0 && now >= next_look {
                let lease = self.claims().await?.lease_milliseconds;
                let doubts = publishing::claim_doubts(&self.db, free, lease).await?;
                next_look = now.plus(if doubts.is_empty() { IDLE } else { A_WHILE });
                looks.extend(doubts.into_iter().map(|doubt| self.look(doubt)));
            }
            let free = AT_ONCE - calls.len();
            if may_begin && free > 0 && now >= next_claim {
                let rules = self.claims().await?;
                let claimed = publishing::claim(&self.db, &self.actor, free, &rules).await?;
                next_claim = now.plus(if claimed.is_empty() { IDLE } else { A_WHILE });
                done.claimed += claimed.len();
                calls.extend(claimed.into_iter().map(|claimed| self.send(claimed)));
            }
            if calls.is_empty() && looks.is_empty() {
                return Ok(());
            }
            futures::select_biased! {
                result = calls.select_next_some() => {
                    // All that are ready go into one transaction: a commit costs a disk write.
                    let mut results = vec![result];
                    while let Some(Some(ready)) = calls.next().now_or_never() {
                        results.push(ready);
                    }
                    publishing::finish(&self.db, &self.actor, &results).await?;
                    for (_, outcome) in &results {
                        done.count(outcome);
                    }
                    // Their bots may have more.
                    if AT_ONCE - calls.len() >= ROOM {
                        next_claim = now;
                    } else {
                        next_claim = next_claim.min(now.plus(A_WHILE));
                    }
                }
                (doubt, outcome) = looks.select_next_some() => {
                    let outcome = outcome?;
                    publishing::settle(&self.db, &self.actor, &doubt, &outcome).await?;
                    done.count(&outcome);
                    // Its bot is no longer held up, and what was not found may be due.
                    (next_look, next_claim) = (now, now);
                }
                () = tick => tick.set(sleep(A_WHILE).fuse()),
            }
        }
    }

    async fn look(&self, doubt: Doubt) -> (Doubt, Result<Outcome, Error>) {
        let rules = self.rules(doubt.spent);
        let look = reconcile::Look {
            db: &self.db,
            client: &self.client,
            tokens: &self.tokens,
            doubt: &doubt,
            rules: &rules,
            timeout: self.timeout,
        };
        let outcome = look.run().await;
        (doubt, outcome)
    }

    async fn send(&self, claimed: Claimed) -> (Claimed, Outcome) {
        let outcome = self.call(&claimed).await;
        (claimed, outcome)
    }

    async fn call(&self, claimed: &Claimed) -> Outcome {
        let (bot_id, version) = (&claimed.bot_id, claimed.credentials_version);
        let mut token = match self.tokens.of(bot_id, version).await {
            Ok(token) => token,
            Err(none) => return decide::without_token(&none, &self.rules(claimed.spent)),
        };
        let post = NewPost {
            text: &claimed.text,
            in_reply_to: claimed.in_reply_to.as_deref(),
        };
        let mut refreshed = false;
        loop {
            // A call that could outlive the lease is not made: another would take it for lost.
            if claimed.leased_until < Instant::now().plus(self.timeout) {
                return decide::lease_too_short(&self.rules(claimed.spent));
            }
            // Getting the token may have taken long: what was so at the claim need not be so now.
            match publishing::standing(&self.db, claimed, &token.x_user_id).await {
                Ok(Standing::Ready) => {}
                Ok(standing) => return decide::may_not(standing, &self.rules(claimed.spent)),
                Err(error) => return decide::not_checked(&error, &self.rules(claimed.spent)),
            }
            let outcome = self
                .client
                .create_post(token.access_token.expose(), &post)
                .await;
            if matches!(outcome, CreateOutcome::Unauthorized(_)) && !refreshed {
                refreshed = true;
                match self.tokens.instead_of(&claimed.bot_id, &token).await {
                    Ok(other) => token = other,
                    Err(none) => return decide::without_token(&none, &self.rules(claimed.spent)),
                }
                continue;
            }
            let rules = self.rules(claimed.spent);
            if decide::is_of_the_credentials(&outcome)
                && reconcile::replaced(&self.db, bot_id, &token).await
            {
                return decide::credentials_changed(&rules);
            }
            return decide::created(&outcome, &rules);
        }
    }
}
