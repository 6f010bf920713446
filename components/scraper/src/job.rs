//! One run: claim, fetch, read, write down, until nothing is due or the budget is used up.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures::future::join_all;
use futures::lock::Mutex;
use url::Url;
use vivesphere_config as config;
use vivesphere_crypto::random;
use vivesphere_domain::settings::table::trends as setting;
use vivesphere_domain::trends::{
    self, Claimed, Failure, Fetched, Kept, Recorded, Target, Validators,
};
use vivesphere_domain::{Actor, Error, Instant};
use vivesphere_feeds::Selectors;
use vivesphere_feeds::momentum::HalfLife;
use vivesphere_feeds::topics::Topics;
use vivesphere_http::{Context, Problem, Reply, TimeBudget};

use crate::outcome::{Again, Got, Missed, next_fetch};
use crate::parser::Parser;
use crate::web::{Errand, Page, Web};
use crate::{hacker_news, robots, wire, x_trends};

/// Sources that are fetched at once.
const AT_ONCE: usize = 8;
const DEFAULT_SECONDS: u32 = 8;
/// How long one source may take, its waits and redirects included.
const ERRAND: Duration = Duration::from_secs(60);
/// Longer than an errand with its last request, so that nobody else begins it meanwhile.
const LEASE_MILLISECONDS: i64 = 120_000;

struct Run {
    web: Web,
    actor: Actor,
    hacker_news: Url,
    interval: Duration,
    half_life: HalfLife,
    kept: Kept,
    /// What new items are compared with: read when the first document has come.
    topics: Mutex<Option<Topics>>,
}

/// What became of one source.
enum Done {
    Fetched(Recorded),
    Unchanged,
    Failed,
    Postponed,
    Stopped,
}

pub(crate) async fn run(context: Context) -> Result<Reply, Problem> {
    let query: wire::RunQuery = context.query()?;
    let time = TimeBudget::of(query.budget_seconds.unwrap_or(DEFAULT_SECONDS));
    let run = Run::new(&context).await?;
    let mut body = wire::RunBody::default();
    run.fetch_due(&mut body, time.end()).await?;
    let done = trends::upkeep(&context.db, run.half_life, run.kept, time.end()).await?;
    (body.scored, body.deleted) = (done.scored, done.deleted);
    body.remaining = trends::due(&context.db).await?;
    body.duration_ms = time.spent_ms();
    Reply::ok(&body)
}

impl Run {
    async fn new(context: &Context) -> Result<Self, Problem> {
        let settings = vivesphere_settings::current(&context.db).await?;
        let seconds = |number: i64| Duration::from_secs(number.unsigned_abs());
        let minutes = settings
            .integer(&setting::MOMENTUM_HALF_LIFE_MINUTES)
            .await?;
        let contact = config::url("public_base_url").await?;
        Ok(Self {
            web: Web {
                db: context.db,
                user_agent: format!(
                    "{}/{} (+{contact})",
                    robots::PRODUCT,
                    env!("CARGO_PKG_VERSION")
                ),
                allow_private: config::boolean("scrape_allow_private_addresses").await?,
                spacing: seconds(settings.integer(&setting::HOST_SPACING_SECONDS).await?),
                gates: RefCell::default(),
                parser: Parser::default(),
            },
            actor: Actor::new(context.principal()?, context.request_id()),
            hacker_news: config::url("hacker_news_base_url").await?.clone(),
            interval: seconds(settings.integer(&setting::SCRAPE_INTERVAL_SECONDS).await?),
            half_life: HalfLife::of_minutes(u32::try_from(minutes).unwrap_or(u32::MAX)),
            kept: Kept {
                item_days: settings.integer(&setting::RETENTION_DAYS_ITEMS).await?,
                series_days: settings.integer(&setting::RETENTION_DAYS_SERIES).await?,
            },
            topics: Mutex::new(None),
        })
    }

    /// Fetches what is due, several at once. Each goes on by itself: a run that waited for one of
    /// them alone would keep another waiting in the middle of its transaction.
    async fn fetch_due(&self, body: &mut wire::RunBody, end: Instant) -> Result<(), Problem> {
        let done = RefCell::new(body);
        let lanes = (0..AT_ONCE).map(|_| self.fetch_in_turn(&done, end));
        for lane in join_all(lanes).await {
            lane?;
        }
        Ok(())
    }

    /// One source after the other, until none is due or the time is used up.
    async fn fetch_in_turn(
        &self,
        done: &RefCell<&mut wire::RunBody>,
        end: Instant,
    ) -> Result<(), Error> {
        while Instant::now() < end {
            let mut claimed = trends::claim(&self.web.db, 1, LEASE_MILLISECONDS).await?;
            let Some(claimed) = claimed.pop() else {
                break;
            };
            let became = self.fetch(claimed).await?;
            let mut body = done.borrow_mut();
            body.claimed += 1;
            match became {
                Done::Fetched(recorded) => {
                    body.fetched += 1;
                    body.new_items += recorded.new_items;
                    body.new_topics += recorded.new_topics;
                }
                Done::Unchanged => body.unchanged += 1,
                Done::Failed => body.failed += 1,
                Done::Postponed => body.postponed += 1,
                Done::Stopped => body.stopped += 1,
            }
        }
        Ok(())
    }

    async fn fetch(&self, claimed: Claimed) -> Result<Done, Error> {
        let errand = Errand {
            web: &self.web,
            requests: Cell::new(0),
            end: Instant::now().plus(ERRAND),
        };
        let got = self.read(&errand, &claimed).await;
        let (requests, db) = (errand.requests.get(), &self.web.db);
        match got {
            Ok(got) => {
                let settled = self.settle(&claimed, got, requests).await;
                if settled.is_err() {
                    // Else it would be asked again and again, and what that costs be told nowhere.
                    let again = Again::Backoff.at(Instant::now(), claimed.failures, chance());
                    let failure = Failure {
                        code: "storage",
                        http_status: None,
                        again_at: again,
                        asked_for: false,
                        requests,
                    };
                    trends::fail(db, &claimed, &failure).await?;
                }
                settled
            }
            Err(Missed::Postponed(until)) => {
                trends::postpone(db, &claimed, until, requests).await?;
                Ok(Done::Postponed)
            }
            Err(Missed::Gone) => {
                trends::stop(db, &self.actor, &claimed, requests).await?;
                Ok(Done::Stopped)
            }
            Err(Missed::Failed {
                code,
                http_status,
                again,
            }) => {
                let failure = Failure {
                    code,
                    http_status,
                    again_at: again.at(Instant::now(), claimed.failures, chance()),
                    asked_for: matches!(again, Again::AskedFor(_)),
                    requests,
                };
                trends::fail(db, &claimed, &failure).await?;
                Ok(Done::Failed)
            }
        }
    }

    async fn read(&self, errand: &Errand<'_>, claimed: &Claimed) -> Result<Got, Missed> {
        match &claimed.target {
            Target::XTrends { woeid } => x_trends::read(errand, *woeid).await,
            Target::HackerNews { list } => {
                hacker_news::read(errand, &self.hacker_news, claimed, *list).await
            }
            Target::Feed { url } => {
                let page = get(errand, url, &claimed.validators).await?;
                document(errand, page, None).await
            }
            Target::Page { url, selectors, .. } => {
                let page = get(errand, url, &claimed.validators).await?;
                document(errand, page, Some(&selectors.selectors())).await
            }
        }
    }

    /// Writes down what came and when there is more, in one transaction: with the lease lost, none
    /// of it.
    async fn settle(&self, claimed: &Claimed, got: Got, requests: i64) -> Result<Done, Error> {
        let at = Instant::now();
        let interval = claimed.interval_seconds.map_or(self.interval, |seconds| {
            Duration::from_secs(seconds.unsigned_abs())
        });
        let mut fetched = Fetched {
            at,
            next_fetch_at: at,
            validators: claimed.validators.clone(),
            minutes_between_fetches: claimed.minutes_between_fetches,
            http_status: None,
            requests,
            new_items: 0,
        };
        let db = &self.web.db;
        let (document, validators, status, fresh_for) = match got {
            Got::Unchanged {
                http_status,
                fresh_for,
            } => {
                fetched.http_status = Some(http_status);
                let asked_for = claimed.minutes_between_fetches;
                fetched.next_fetch_at = next_fetch(at, interval, fresh_for, asked_for, chance());
                let transaction = db.relaxed_transaction().await?;
                if trends::fetched(&transaction, claimed, &fetched).await? {
                    transaction.commit().await?;
                }
                return Ok(Done::Unchanged);
            }
            Got::Document {
                document,
                validators,
                http_status,
                fresh_for,
            } => (document, validators, http_status, fresh_for),
        };
        fetched.validators = validators;
        fetched.minutes_between_fetches = document.minutes_between_fetches;
        fetched.http_status = status;
        fetched.next_fetch_at = next_fetch(
            at,
            interval,
            fresh_for,
            document.minutes_between_fetches,
            chance(),
        );
        let mut kept = self.topics.lock().await;
        // Taken out, and put back with the commit: new topics of a transaction that is rolled back
        // are nowhere, and no other document's items may be put under them.
        let mut topics = match kept.take() {
            Some(topics) => topics,
            None => trends::known_topics(db).await?,
        };
        let transaction = db.relaxed_transaction().await?;
        let half_life = self.half_life;
        let recorded =
            trends::record(&transaction, &mut topics, claimed, &document, half_life, at).await?;
        fetched.new_items = recorded.new_items;
        if !trends::fetched(&transaction, claimed, &fetched).await? {
            return Ok(Done::Postponed);
        }
        transaction.commit().await?;
        *kept = Some(topics);
        Ok(Done::Fetched(recorded))
    }
}

async fn get(errand: &Errand<'_>, url: &str, validators: &Validators) -> Result<Page, Missed> {
    let url = Url::parse(url).map_err(|_| Missed::refused("address_not_http"))?;
    errand.get(&url, validators).await
}

/// What a feed, or a page of which these selectors tell the items, says.
async fn document(
    errand: &Errand<'_>,
    page: Page,
    selectors: Option<&Selectors>,
) -> Result<Got, Missed> {
    if page.status == 304 {
        return Ok(Got::Unchanged {
            http_status: page.status,
            fresh_for: page.fresh_for,
        });
    }
    let document = errand.web.parser.document(&page, selectors).await?;
    Ok(Got::Document {
        document,
        validators: page.validators,
        http_status: Some(page.status),
        fresh_for: page.fresh_for,
    })
}

/// Without randomness every wait is at its longest; nothing else depends on it.
fn chance() -> u64 {
    random::number().unwrap_or(u64::MAX)
}
