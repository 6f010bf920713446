//! Everything goes wrong at once: 500 posts over 20 bots, an X that is slow and fails at random, and
//! a host that is killed thirty times in the middle of it. Nothing is lost, nothing is posted twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::{Account, Endpoint, FakeX, Fault, Options, Settings};

const BOTS: usize = 20;
const POSTS: usize = 500;
const KILLS: usize = 30;
/// Every so many posts one is a thread.
const THREADS: usize = 5;
const PARTS: usize = 3;

/// What only a person can mend, and what a bot says then.
const PERSON: [&str; 3] = ["unauthorized", "credits_depleted", "account_locked"];

/// What goes wrong, and how often. Together about every fifth call.
fn break_it(fake: &FakeX) {
    let html = false;
    let limited = Fault::RateLimited {
        reset_after: Some(1),
        legacy: false,
    };
    for (share, fault) in [
        // Every call takes its time, so that a kill finds some of them under way.
        (1.0, Fault::Slow { ms: 200 }),
        (0.3, Fault::Slow { ms: 200 }),
        // Longer than x_request_timeout_seconds: X has it after we have left.
        (0.03, Fault::Slow { ms: 900 }),
        (0.03, Fault::CutBefore),
        (0.03, Fault::CutAfter),
        (0.02, Fault::CutInside),
        (0.02, Fault::ErrorBefore { status: 500, html }),
        (0.02, Fault::ErrorAfter { status: 503, html }),
        (
            0.01,
            Fault::ErrorAfter {
                status: 502,
                html: true,
            },
        ),
        (0.01, Fault::MalformedAfter),
        (0.02, Fault::TruncatedAfter),
        (0.01, Fault::EmptyAfter),
        (0.02, limited.clone()),
        (0.01, Fault::Unauthorized),
        (0.01, Fault::CreditsDepleted { older: false }),
        (0.01, Fault::AccountLocked),
    ] {
        fake.fault_by_chance(Endpoint::CreatePost, share, fault);
    }
    for (share, fault) in [
        (0.05, Fault::ErrorBefore { status: 503, html }),
        (0.05, Fault::CutBefore),
        (0.05, Fault::TruncatedAfter),
    ] {
        fake.fault_by_chance(Endpoint::UserPosts, share, fault);
    }
    for (share, fault) in [
        (0.1, Fault::Slow { ms: 300 }),
        (0.2, Fault::ErrorBefore { status: 503, html }),
        (0.1, Fault::CutBefore),
        (0.1, limited),
        (0.05, Fault::CutAfter),
    ] {
        fake.fault_by_chance(Endpoint::Token, share, fault);
    }
}

/// A publisher that is called again and again, whatever becomes of the calls.
fn keep_publishing(service: Client) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let path = "/api/v1/jobs/publish/run?budget_seconds=5";
        loop {
            let _lost = service
                .try_send(Method::POST, path, |request| request)
                .await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}

fn new_post(number: usize, bot: usize) -> Value {
    let text = format!("post {number} of bot {bot}");
    match number % THREADS {
        0 => {
            let parts: Vec<String> = (0..PARTS).map(|part| format!("{text}, {part}")).collect();
            json!({"thread": parts})
        }
        _ => json!({"text": text}),
    }
}

/// The texts of a post, one or those of a thread.
fn parts(post: &Value) -> Vec<&str> {
    match post["thread"].as_array() {
        Some(parts) => parts.iter().map(|part| part.as_str().unwrap()).collect(),
        None => vec![post["text"].as_str().unwrap()],
    }
}

/// What the bots' owner does now and then: reads why a bot stands still, mends it, has it go on.
/// Gives the reasons that were read.
async fn mend(fake: &FakeX, admin: &Client, accounts: &BTreeMap<String, Account>) -> Vec<String> {
    let mut reasons = Vec::new();
    let list = admin.get("/api/v1/bots/list?limit=200").await.json(200);
    for bot in list["items"].as_array().unwrap() {
        let bot_id = bot["bot_id"].as_str().unwrap();
        let path = format!("/api/v1/bots/{bot_id}");
        let code = bot["status_code"].as_str().unwrap_or_default();
        match bot["status"].as_str().unwrap() {
            "active" => continue,
            "paused" => {
                assert!(PERSON.contains(&code), "{bot:#}");
                admin
                    .post_nothing(&format!("{path}/resume"))
                    .await
                    .json(200);
            }
            // A new pair of tokens was lost on its way to us: the owner connects the bot again.
            "needs_reauth" => {
                let account = fake.grant(&accounts[bot_id].user_id);
                let credentials = json!({"credentials": {
                    "type": "oauth2",
                    "access_token": account.access_token,
                    "refresh_token": account.refresh_token,
                }});
                let bot = admin.patch(&path, &credentials).await.json(200);
                assert_eq!(bot["status"], "active", "{bot:#}");
            }
            _ => panic!("{bot:#}"),
        }
        assert!(!bot["status_detail"].as_str().unwrap().is_empty(), "{bot}");
        reasons.push(code.to_owned());
    }
    reasons
}

/// While nothing runs: X has ended what was under way when its caller died, and so much time passes
/// that whoever comes next looks for it at once.
async fn let_time_pass(fake: &FakeX, app: &App) {
    while fake.under_way() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    app.let_leases_end();
    app.let_backoffs_pass();
    app.database()
        .execute_batch(
            "UPDATE attempts SET started_at = started_at - 5000 WHERE ended_at IS NULL;
             UPDATE posts SET next_attempt_at = 0
                WHERE state = 'outcome_unknown' AND next_attempt_at IS NOT NULL;",
        )
        .unwrap();
}

const UNDER_WAY: &str = "SELECT count(*) FROM posts WHERE state = 'publishing'";

const OPEN: &str = "SELECT count(*) FROM posts WHERE state IN ('scheduled', 'publishing')
    OR (state = 'outcome_unknown' AND next_attempt_at IS NOT NULL)";

/// Holds every post of a bot against what X has; counts the states.
async fn check(
    fake: &FakeX,
    admin: &Client,
    (bot_id, account): (&str, &Account),
    states: &mut BTreeMap<String, usize>,
) {
    let posted = fake.posts_of(&account.user_id);
    let path = format!("/api/v1/bots/{bot_id}/posts?limit=200");
    let page = admin.get(&path).await.json(200);
    assert!(page["next_cursor"].is_null());
    let posts = page["items"].as_array().unwrap();
    assert_eq!(posts.len(), POSTS / BOTS, "posts are lost");
    let mut on_x = 0;
    for post in posts {
        let state = post["state"].as_str().unwrap();
        *states.entry(state.to_owned()).or_default() += 1;
        let ids: Vec<&str> = post["x_post_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        let mut before: Option<&str> = None;
        for (position, part) in parts(post).into_iter().enumerate() {
            let copies: Vec<_> = posted.iter().filter(|posted| posted.text == part).collect();
            assert!(copies.len() <= 1, "on X more than once: {part}\n{post:#}");
            on_x += copies.len();
            let found = copies.first().map(|copy| copy.id.as_str());
            match ids.get(position).copied() {
                Some(id) => assert_eq!(found, Some(id), "not on X: {post:#}"),
                // Only what nobody could look for may be there without our knowing it.
                None => assert!(found.is_none() || state == "outcome_unknown", "{post:#}"),
            }
            if let Some(copy) = copies.first() {
                assert_eq!(copy.in_reply_to.as_deref(), before, "{post:#}");
            }
            before = found;
        }
        match state {
            "published" => assert_eq!(ids.len(), parts(post).len(), "{post:#}"),
            "failed" | "outcome_unknown" => {
                let told = post["failure_code"].is_string() && post["failure_detail"].is_string();
                assert!(told, "nobody is told: {post:#}");
            }
            _ => panic!("{post:#}"),
        }
    }
    assert_eq!(on_x, posted.len(), "X has what nobody scheduled");
    // In their order, when none was taken out of it.
    if posts.iter().all(|post| post["state"] == "published") {
        let wanted: Vec<&Value> = posts
            .iter()
            .flat_map(|post| post["x_post_ids"].as_array().unwrap())
            .collect();
        let found: Vec<&str> = posted.iter().map(|post| post.id.as_str()).collect();
        assert_eq!(json!(found), json!(wanted), "out of order");
    }
}

// The fake goes on while this test waits for a process or the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_post_is_published_exactly_once_or_says_what_a_person_must_do() {
    let seed: u64 = match std::env::var("CHAOS_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    println!("CHAOS_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // X takes the same text twice: nothing but ourselves keeps a post from being there twice.
    let settings = Settings::unlimited();
    let options = Options {
        settings,
        seed,
        ..Options::default()
    };
    let fake = FakeX::start_with(options).await.unwrap();
    let mut app = App::builder()
        .x(&fake)
        .variable("x_request_timeout_seconds", 1)
        .variable("publish_lease_seconds", 1)
        // What arrives at X after our timeout is there before it is looked for.
        .variable("publish_reconcile_delay_seconds", 2)
        .start()
        .await;
    let admin = app.admin().await;
    let mut accounts = BTreeMap::new();
    for bot in 0..BOTS {
        let account = fake.add_user(&format!("account_{bot}"));
        let bot_id = app.bot(&admin, &account).await;
        for number in 0..POSTS / BOTS {
            admin.schedule(&bot_id, &new_post(number, bot)).await;
        }
        accounts.insert(bot_id, account);
    }

    break_it(&fake);
    let mut reasons = BTreeSet::new();
    let mut found_work = 0;
    for kill in 0..KILLS {
        let publishers = [
            keep_publishing(app.service()),
            keep_publishing(app.service()),
        ];
        // Somebody's token ends at the wrong moment.
        let whose = accounts.values().nth(random.random_range(0..BOTS)).unwrap();
        fake.expire_access_tokens_of(&whose.user_id);
        let wait = Duration::from_millis(random.random_range(20..400));
        tokio::time::sleep(wait).await;
        // Two of three kills wait for a call, however slow the machine; the third takes what comes.
        let end = Instant::now() + Duration::from_secs(10);
        while kill % 3 > 0 && app.number(UNDER_WAY) == 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        app.kill();
        for publisher in publishers {
            publisher.abort();
        }
        if app.number(UNDER_WAY) > 0 {
            found_work += 1;
        }
        let_time_pass(&fake, &app).await;
        app.restart().await;
        if kill % 5 == 4 {
            reasons.extend(mend(&fake, &admin, &accounts).await);
        }
    }
    let left = app.number(OPEN);
    println!("{found_work} of {KILLS} kills found calls under way, {left} posts are left");
    println!("meanwhile X was called: {:?}", fake.counts());
    // A kill that finds nothing under way breaks nothing.
    assert!(found_work >= KILLS / 2, "{found_work}");
    let tenth = i64::try_from(POSTS / 10).unwrap();
    assert!(left > tenth, "the work did not last over all kills");

    // Nobody is killed any more, but X goes on failing until a tenth is left. What a person has to
    // mend is certainly among it, each kind more often than a timeout could hide it.
    for fault in [
        Fault::CreditsDepleted { older: false },
        Fault::AccountLocked,
    ] {
        fake.fault_next(Endpoint::CreatePost, 3, fault);
    }
    let end = Instant::now() + Duration::from_secs(240);
    loop {
        app.run_job("publish").await;
        app.let_backoffs_pass();
        reasons.extend(mend(&fake, &admin, &accounts).await);
        let open = usize::try_from(app.number(OPEN)).unwrap();
        if open == 0 {
            break;
        }
        if open <= POSTS / 10 {
            fake.clear_faults();
        }
        assert!(Instant::now() < end, "{open} posts are stuck");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("what a person had to mend: {reasons:?}");
    for reason in ["credits_depleted", "account_locked"] {
        assert!(reasons.contains(reason), "{reasons:?}");
    }

    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for (bot_id, account) in &accounts {
        check(&fake, &admin, (bot_id, account), &mut states).await;
    }
    println!("{states:?}, {:?}", fake.counts());
    let published = states.get("published").copied().unwrap_or(0);
    assert!(published >= POSTS * 9 / 10, "{states:?}");
    assert_eq!(
        app.number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        0
    );
}
