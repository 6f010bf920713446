//! One run: claim, send, write, until nothing is due or the budget is used up.

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use schemars::JsonSchema;
use serde::Serialize;
use vivesphere_config as config;
use vivesphere_crypto::random;
use vivesphere_db::Database;
use vivesphere_domain::publishing::{self, Claimed, Effect, Outcome};
use vivesphere_domain::settings::table::posts as approval;
use vivesphere_domain::settings::table::publisher as setting;
use vivesphere_domain::{Actor, Instant, posts};
use vivesphere_http::access_tokens::Tokens;
use vivesphere_http::{Context, Problem, Reply, RunQuery};
use vivesphere_x_api::{Client, CreateOutcome, NewPost};

use crate::decide::{self, Rules};
use crate::reconcile;

/// Calls in flight at once, each for another bot.
const AT_ONCE: usize = 32;
/// While calls are in flight, others are claimed when there is room for this many, or after a while:
/// looking through the bots and a commit cost more than one call's row.
const ROOM: usize = AT_ONCE / 4;
const A_WHILE: Duration = Duration::from_millis(50);

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
            Effect::LookAt(_) => self.unknown += 1,
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
    run.look_for_doubts(&mut done, time.end()).await?;
    run.send_due(&mut done, time.end()).await?;
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

    async fn look_for_doubts(&self, done: &mut Done, end: Instant) -> Result<(), Problem> {
        loop {
            let lease = self.claims().await?.lease_milliseconds;
            let doubts = publishing::claim_doubts(&self.db, AT_ONCE, lease).await?;
            if doubts.is_empty() {
                return Ok(());
            }
            let mut looking: FuturesUnordered<_> = doubts
                .into_iter()
                .map(|doubt| async move {
                    let rules = self.rules(doubt.spent);
                    let outcome =
                        reconcile::look(&self.db, &self.client, &self.tokens, &doubt, &rules)
                            .await?;
                    publishing::settle(&self.db, &self.actor, &doubt, &outcome).await?;
                    Ok::<_, vivesphere_domain::Error>(outcome)
                })
                .collect();
            while let Some(outcome) = looking.next().await {
                done.count(&outcome?);
            }
            if Instant::now() >= end {
                return Ok(());
            }
        }
    }

    async fn send_due(&self, done: &mut Done, end: Instant) -> Result<(), Problem> {
        let mut calls = FuturesUnordered::new();
        let mut next_claim = Instant::now();
        loop {
            let (now, free) = (Instant::now(), AT_ONCE - calls.len());
            let is_time = free >= ROOM || (free > 0 && now >= next_claim);
            if is_time && now < end {
                next_claim = now.plus(A_WHILE);
                let rules = self.claims().await?;
                let claimed = publishing::claim(&self.db, &self.actor, free, &rules).await?;
                done.claimed += claimed.len();
                calls.extend(claimed.into_iter().map(|claimed| self.send(claimed)));
            }
            let Some(first) = calls.next().await else {
                return Ok(());
            };
            // All that are ready go into one transaction: a commit costs a disk write.
            let mut results = vec![first];
            while let Some(Some(ready)) = futures::FutureExt::now_or_never(calls.next()) {
                results.push(ready);
            }
            publishing::finish(&self.db, &self.actor, &results).await?;
            for (_, outcome) in &results {
                done.count(outcome);
            }
        }
    }

    async fn send(&self, claimed: Claimed) -> (Claimed, Outcome) {
        let outcome = self.call(&claimed).await;
        (claimed, outcome)
    }

    async fn call(&self, claimed: &Claimed) -> Outcome {
        let mut token = match self.tokens.of(&claimed.bot_id).await {
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
            return decide::created(&outcome, &self.rules(claimed.spent));
        }
    }
}
