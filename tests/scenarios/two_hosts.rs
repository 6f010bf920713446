//! Two hosts share one state by their runtime configuration: one SQLite file and, where there is one,
//! one Redis server.
//! Both tick, one dies in the middle; no post is lost, none is on X twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::build::{self, Program};
use vivesphere_tests::fake_x::{Endpoint, FakeX, Fault};
use vivesphere_tests::redis::Redis;

const BOTS: usize = 6;
const POSTS: usize = 8;

/// What ticks beside a host that has no schedules, and what it says that it has published.
struct Tick {
    published: Arc<AtomicU64>,
    ticking: tokio::task::JoinHandle<()>,
}

impl Tick {
    /// Calls the host's job entry every second, as its schedule would. While the host is down, nothing
    /// comes of it.
    fn of(app: &App) -> Self {
        let (service, published) = (app.service(), Arc::new(AtomicU64::new(0)));
        let counted = published.clone();
        let ticking = tokio::spawn(async move {
            let path = "/api/v1/jobs/publish/run?budget_seconds=5";
            loop {
                let answer = service
                    .try_send(Method::POST, path, |request| request)
                    .await;
                if let Ok(answer) = answer {
                    let done = answer.json(200)["published"].as_u64().unwrap();
                    counted.fetch_add(done, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Self { published, ticking }
    }
}

impl Drop for Tick {
    fn drop(&mut self) {
        self.ticking.abort();
    }
}

/// How many posts a host has published, as it says itself.
fn published_by(app: &App, tick: Option<&Tick>) -> u64 {
    if let Some(tick) = tick {
        return tick.published.load(Ordering::Relaxed);
    }
    let answers = app.log();
    answers
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.get(line.find('{')?..)?).ok())
        .filter(|line| line["message"] == "tick" && line["job"] == "publish")
        .filter_map(|line| serde_json::from_str::<Value>(line["answer"].as_str()?).ok())
        .filter_map(|answer| answer["published"].as_u64())
        .sum()
}

#[tokio::test]
async fn two_hosts_publish_every_post_once_though_one_is_killed() {
    let schedules = !matches!(build::everything(), Program::Spin { cron: false, .. });
    let redis = Redis::start();
    let fake = FakeX::start().await;
    fake.configure(|settings| {
        *settings = vivesphere_tests::fake_x::Settings {
            refuse_duplicates: false,
            client_id: settings.client_id.clone(),
            client_secret: settings.client_secret.clone(),
            ..vivesphere_tests::fake_x::Settings::unlimited()
        }
    });
    let shared = tempfile::tempdir().unwrap();
    let configuration = shared.path().join("runtime-config.toml");
    let mut text =
        "[sqlite_database.default]\ntype = \"spin\"\npath = \"sqlite_db.db\"\n".to_owned();
    match &redis {
        Some(redis) => {
            let url = redis.url();
            text += &format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"{url}\"\n");
        }
        None => eprintln!("skipped: the store on Redis, for redis-server is not installed"),
    }
    std::fs::write(&configuration, text).unwrap();

    // One's state directory is where the shared file happens to be, so that it can be looked into.
    let mut one = App::builder()
        .x(&fake)
        .variable("x_request_timeout_seconds", 1)
        .state_dir(shared.path())
        .runtime_config(&configuration)
        .cron(schedules)
        .start()
        .await;
    let own = tempfile::tempdir().unwrap();
    let two = App::builder()
        .beside(&one)
        .state_dir(own.path())
        .runtime_config(&configuration)
        .cron(schedules)
        .start()
        .await;
    assert!(!own.path().join("sqlite_db.db").exists());
    let ticks = [&one, &two].map(|host| (!schedules).then(|| Tick::of(host)));
    let published = |one: &App, two: &App| {
        let [of_one, of_two] = &ticks;
        (
            published_by(one, of_one.as_ref()),
            published_by(two, of_two.as_ref()),
        )
    };

    // Work for both, asked of both: what one is told the other knows.
    let admin = one.admin().await;
    let there = two.anonymous().with_token(admin.token.as_deref().unwrap());
    let mut bots = Vec::new();
    for number in 0..BOTS {
        let account = fake.add_user(&format!("account_{number}"));
        let asked = if number % 2 == 0 { &admin } else { &there };
        let bot_id = one.bot(asked, &account).await;
        bots.push((bot_id, account));
    }
    // Slow enough for a kill to find calls under way.
    fake.fault_by_chance(Endpoint::CreatePost, 0.8, Fault::Slow { ms: 250 });
    let now = chrono::Utc::now();
    for post in 0..POSTS {
        for (number, (bot_id, _)) in bots.iter().enumerate() {
            let asked = if (post + number) % 2 == 0 {
                &admin
            } else {
                &there
            };
            let due = now + chrono::Duration::seconds(3 * i64::try_from(post).unwrap());
            let due = due.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            let text = format!("post {post} of bot {number}");
            let body = json!({"text": text, "scheduled_at": due});
            asked.schedule(bot_id, &body).await;
        }
    }

    // The first is killed once a third is out, and stays away for a while.
    let end = Instant::now() + Duration::from_secs(60);
    while fake.post_count() < BOTS * POSTS / 3 {
        assert!(Instant::now() < end, "nothing is published");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    one.kill();
    let open = "SELECT count(*) FROM posts WHERE state <> 'published'";
    tokio::time::sleep(Duration::from_secs(8)).await;
    one.restart().await;
    let end = Instant::now() + Duration::from_secs(120);
    while one.number(open) > 0 {
        assert!(Instant::now() < end, "{} posts are stuck", one.number(open));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    for (number, (bot_id, account)) in bots.iter().enumerate() {
        let on_x = fake.posts_of(&account.user_id);
        let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
        for post in &on_x {
            *copies.entry(&post.text).or_default() += 1;
        }
        let wanted: Vec<String> = (0..POSTS)
            .map(|post| format!("post {post} of bot {number}"))
            .collect();
        let wanted: BTreeMap<&str, usize> = wanted.iter().map(|text| (text.as_str(), 1)).collect();
        assert_eq!(copies, wanted, "of bot {number}");
        let path = format!("/api/v1/bots/{bot_id}/posts?limit=200");
        let list = there.get(&path).await.json(200);
        for post in list["items"].as_array().unwrap() {
            assert_eq!(post["state"], "published", "{post:#}");
        }
    }
    // Whoever ticks first takes all that is due: more work, until each has had its turn.
    let mut shares = published(&one, &two);
    for round in 0..12 {
        if shares.0 > 0 && shares.1 > 0 {
            break;
        }
        for (bot_id, _) in &bots {
            let body = json!({"text": format!("once more, round {round}")});
            admin.schedule(bot_id, &body).await;
        }
        let end = Instant::now() + Duration::from_secs(60);
        while one.number(open) > 0 {
            assert!(Instant::now() < end, "{} posts are stuck", one.number(open));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        // A tick's line comes after its posts.
        tokio::time::sleep(Duration::from_secs(1)).await;
        shares = published(&one, &two);
    }
    println!("published by the first and the second: {shares:?}");
    assert!(shares.0 > 0 && shares.1 > 0, "{shares:?}");
    // No component is granted a key-value store: nothing may begin to live outside of the
    // database without being seen here.
    if let Some(redis) = &redis {
        let size = redis.ask("DBSIZE");
        assert!(size.starts_with(":0"), "{size}");
    }
}
