//! One run: claim a bot's posts, read them, write what X showed, until nothing is due, the money or
//! the time is used up, or X says stop.

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use vivesphere_config as config;
use vivesphere_crypto::random;
use vivesphere_db::Database;
use vivesphere_domain::collector_stop::{self, Stop};
use vivesphere_domain::logs::{Level, LogType, Record};
use vivesphere_domain::post_metrics::{self, Batch, Claimed, Claims, Counts, Read};
use vivesphere_domain::settings::table::collector as setting;
use vivesphere_domain::x_rate_limits::Allowance;
use vivesphere_domain::{Error, Instant};
use vivesphere_http::access_tokens::{NoToken, Tokens};
use vivesphere_http::{Context, Problem, Reply, RunQuery, hand_over};
use vivesphere_x_api::{CallError, Client, Lookup, PublicMetrics, Vocabulary};

use crate::decide::{self, PutOff, Whose};
use crate::wire;

/// Calls in flight at once.
const AT_ONCE: usize = 8;

struct Run {
    db: Database,
    client: Client,
    tokens: Tokens,
    timeout: Duration,
    claims: Claims,
}

/// Why a batch was not read.
enum Failure {
    NoToken(NoToken),
    Call(CallError),
    /// The call could have outlived its lease.
    LeaseTooShort,
}

pub(crate) async fn run(context: Context) -> Result<Reply, Problem> {
    let time = context.query::<RunQuery>()?.begin();
    let run = Run::new(&context).await?;
    let mut done = wire::RunBody::default();
    run.read_due(&mut done, time.end()).await?;
    done.stopped = collector_stop::current(&run.db)
        .await?
        .map(|stop| wire::StopBody {
            until: stop.until,
            code: stop.code,
            detail: stop.detail,
        });
    done.duration_ms = time.spent_ms();
    Reply::ok(&done)
}

impl Run {
    async fn new(context: &Context) -> Result<Self, Problem> {
        let timeout = Duration::from_secs(config::integer("x_request_timeout_seconds").await?);
        let settings = vivesphere_settings::current(&context.db).await?;
        let vocabulary = match settings.boolean(&setting::CURRENT_FIELD_NAMES).await? {
            true => Vocabulary::Current,
            false => Vocabulary::Legacy,
        };
        // A lease must outlast two calls, with the refresh that may stand between them.
        let lease = timeout * 3 + Duration::from_secs(5);
        Ok(Self {
            db: context.db,
            client: Client::new(config::origin("x_api_base_url").await?, timeout)
                .with_vocabulary(vocabulary),
            tokens: Tokens::new(context.request_id()),
            timeout,
            claims: Claims {
                daily_budget: settings
                    .integer(&setting::METRICS_DAILY_BUDGET_MICRO_DOLLARS)
                    .await?,
                price: settings.integer(&setting::POST_READ_MICRO_DOLLARS).await?,
                lease_milliseconds: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX),
            },
        })
    }

    async fn read_due(&self, done: &mut wire::RunBody, end: Instant) -> Result<(), Problem> {
        let mut calls = FuturesUnordered::new();
        let mut more = true;
        loop {
            while more && calls.len() < AT_ONCE && Instant::now() < end {
                if collector_stop::current(&self.db).await?.is_some() {
                    more = false;
                    break;
                }
                match post_metrics::claim(&self.db, &self.claims).await? {
                    Claimed::Batch(batch) => calls.push(async {
                        let result = self.read(&batch).await;
                        (batch, result)
                    }),
                    Claimed::Nothing => more = false,
                    Claimed::BudgetExhausted => {
                        done.budget_exhausted = true;
                        more = false;
                    }
                }
            }
            let Some((batch, result)) = calls.next().await else {
                return Ok(());
            };
            self.write(done, &batch, result).await?;
        }
    }

    async fn read(&self, batch: &Batch) -> Result<Lookup, Failure> {
        let ids: Vec<&str> = batch
            .parts
            .iter()
            .map(|part| part.x_post_id.as_str())
            .collect();
        // Anybody's token shows the public counts.
        let token = self.tokens.of(&batch.bot_id, 0).await;
        let mut token = token.map_err(Failure::NoToken)?;
        let mut refreshed = false;
        loop {
            // A call that could outlive the lease is not made: another would make it, too.
            if batch.leased_until < Instant::now().plus(self.timeout) {
                return Err(Failure::LeaseTooShort);
            }
            let access_token = token.access_token.expose();
            match self.client.post_metrics(access_token, &ids).await {
                Ok(lookup) => return Ok(lookup),
                Err(CallError::Unauthorized(_)) if !refreshed => {
                    refreshed = true;
                    let other = self.tokens.instead_of(&batch.bot_id, &token).await;
                    token = other.map_err(Failure::NoToken)?;
                }
                Err(error) => return Err(Failure::Call(error)),
            }
        }
    }

    async fn write(
        &self,
        done: &mut wire::RunBody,
        batch: &Batch,
        result: Result<Lookup, Failure>,
    ) -> Result<(), Problem> {
        done.calls += 1;
        let now = Instant::now();
        let failure = match result {
            Ok(lookup) => {
                let written = post_metrics::write(&self.db, batch, &shown(lookup)).await?;
                done.read += written.read;
                done.missing += written.missing;
                return Ok(());
            }
            Err(failure) => failure,
        };
        done.failed += batch.parts.len();
        let (put_off, code, detail) = match &failure {
            Failure::NoToken(none) => (
                decide::without_token(none, now),
                none.code.as_str(),
                none.detail.clone(),
            ),
            Failure::Call(error) => {
                // Without randomness the wait is at its longest.
                let random = random::number().unwrap_or(u64::MAX);
                let put_off = decide::after(error, now, random);
                (put_off, error.code(), error.to_string())
            }
            Failure::LeaseTooShort => (
                PutOff {
                    whose: Whose::Batch,
                    until: now,
                    billed: false,
                },
                "lease_too_short",
                "asking for a token took too long".to_owned(),
            ),
        };
        self.put_off(batch, put_off, code, detail).await?;
        Ok(())
    }

    async fn put_off(
        &self,
        batch: &Batch,
        put_off: PutOff,
        code: &str,
        detail: String,
    ) -> Result<(), Error> {
        let (db, until) = (&self.db, put_off.until);
        // What stops everyone does so before anybody can claim these again.
        if put_off.whose == Whose::Everyone {
            let stop = Stop {
                until,
                code: code.to_owned(),
                detail: detail.clone(),
            };
            collector_stop::set(db, &stop).await?;
        }
        let at = match put_off.whose {
            // They are due as they were, once the stop is over.
            Whose::Everyone => Instant::now(),
            Whose::Batch | Whose::Bot => until,
        };
        post_metrics::give_up(db, batch, at, put_off.billed).await?;
        if put_off.whose == Whose::Bot {
            post_metrics::postpone(db, &batch.bot_id, until).await?;
        }
        let message = match put_off.whose {
            Whose::Everyone => "nobody reads posts' counts: X stopped the application",
            Whose::Bot => "a bot's posts cannot be read now",
            Whose::Batch => "some posts could not be read",
        };
        let level = match put_off.whose {
            Whose::Everyone => Level::Error,
            Whose::Bot | Whose::Batch => Level::Warn,
        };
        let record = Record::new(LogType::Console, level, "collect", message)
            .with("bot_id", &batch.bot_id)
            .with("code", &code)
            .with("detail", &detail)
            .with("until", &until.to_string());
        hand_over(vec![record]);
        Ok(())
    }
}

fn shown(lookup: Lookup) -> Read {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let counts = |metrics: PublicMetrics| Counts {
        impressions: number(metrics.impression_count),
        likes: number(metrics.like_count),
        reposts: number(metrics.repost_count),
        replies: number(metrics.reply_count),
        quotes: number(metrics.quote_count),
        bookmarks: number(metrics.bookmark_count),
    };
    let windows = lookup.limits.whole_windows();
    let allowances = windows
        .map(|(span, quota, remaining, reset)| Allowance {
            endpoint: "look_up_posts",
            span,
            quota,
            remaining,
            reset_at: Instant::from_unix_seconds(reset),
        })
        .collect();
    let posts = lookup.posts.into_iter();
    Read {
        counts: posts
            .filter_map(|post| Some((post.id, counts(post.public_metrics?))))
            .collect(),
        allowances,
    }
}
