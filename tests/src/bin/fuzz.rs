//! Sends the application what schemathesis makes of its OpenAPI document, and counts what it
//! answered by its own access log: `fuzz [--requests 10000] [--max-examples 20] [--seed 1]`.
//!
//! `tests/fuzz/run` prepares what this needs and starts it.
#![allow(
    clippy::unwrap_used,
    reason = "as in a test: what cannot be prepared ends the run, and says where"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use vivesphere_tests::app::App;
use vivesphere_tests::build::repository;
use vivesphere_tests::client::Client;
use vivesphere_tests::fake_x::{FakeX, Options, Settings};

/// Sessions for the calls that end the one they are made in.
const SESSIONS: usize = 100;
/// Bots with credentials, and posts of each.
const BOTS: usize = 12;
const POSTS: usize = 4;

struct Flags {
    /// Rounds are run until so many requests have been answered; one round without.
    requests: u64,
    max_examples: u32,
    seed: u64,
}

fn flags() -> anyhow::Result<Flags> {
    let mut flags = Flags {
        requests: 0,
        max_examples: 20,
        seed: 1,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .with_context(|| format!("{name} needs a number"))?;
        let value = value
            .parse::<u32>()
            .with_context(|| format!("{name} NUMBER"))?;
        match name.as_str() {
            "--requests" => flags.requests = value.into(),
            "--max-examples" => flags.max_examples = value,
            "--seed" => flags.seed = value.into(),
            _ => bail!("unknown argument {name}"),
        }
    }
    Ok(flags)
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let flags = flags()?;
    let fake = FakeX::start_with(Options {
        settings: Settings::unlimited(),
        ..Options::default()
    })
    .await?;
    let app = App::builder()
        .x(&fake)
        .cron(true)
        .variable("access_token_seconds", 86_400)
        .start()
        .await;
    let admin = app.admin().await;
    prepare(&app, &fake, &admin).await;
    let ender = app.user(&admin, &["admin"]).await;
    let sessions = sessions(&app, &ender).await;

    let mut failed_rounds = 0;
    let mut seed = flags.seed;
    loop {
        let given = json!({
            "base_url": app.base_url, "seed": seed, "token": admin.token,
            "sessions": sessions, "kept": [admin.user_id, ender.user_id],
        });
        if !round(&app, &flags, seed, &given)? {
            failed_rounds += 1;
        }
        if answered(&app).values().sum::<u64>() >= flags.requests {
            break;
        }
        seed += 1;
    }

    let by_status = answered(&app);
    let errors: u64 = by_status.range(500..).map(|(_, count)| count).sum();
    println!("\nanswers by status: {by_status:?}");
    println!(
        "requests: {}\nrounds with failures: {failed_rounds}\nserver errors: {errors}",
        by_status.values().sum::<u64>()
    );
    for line in server_errors(&app).iter().take(20) {
        println!("{line}");
    }
    if failed_rounds > 0 || errors > 0 {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Things to ask for: bots, posts in several states, users.
async fn prepare(app: &App, fake: &FakeX, admin: &Client) {
    for number in 0..BOTS {
        let account = fake.add_user(&format!("fuzz{number}"));
        let bot_id = app.bot(admin, &account).await;
        let data = json!({"bot_id": bot_id, "data": {"note": "kept"}});
        if number % 3 == 0 {
            admin.post("/api/v1/botdata/store", &data).await.json(201);
        }
        for post in 0..POSTS {
            let mut body = json!({"text": format!("post {post} of bot {number}")});
            if post > 0 {
                body["scheduled_at"] = json!("2099-01-01T00:00:00Z");
            }
            admin.schedule(&bot_id, &body).await;
        }
    }
    for role in ["operator", "reviewer", "viewer"] {
        for _ in 0..5 {
            app.user(admin, &[role]).await;
        }
    }
}

async fn sessions(app: &App, user: &Client) -> Vec<String> {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let again = app
            .anonymous()
            .sign_in(&user.username, &user.password)
            .await;
        sessions.extend(again.token);
    }
    sessions
}

/// One run of schemathesis; whether it found nothing.
fn round(app: &App, flags: &Flags, seed: u64, given: &Value) -> anyhow::Result<bool> {
    let folder: PathBuf = repository().join("target/fuzz");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("given.json");
    std::fs::write(&file, given.to_string())?;
    let status = Command::new(folder.join("venv/bin/schemathesis"))
        .current_dir(&folder)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", repository().join("tests/fuzz"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("VIVESPHERE_FUZZ", &file)
        .arg("--config-file")
        .arg(repository().join("tests/fuzz/schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", app.base_url))
        .args(["--checks", "all"])
        .args(["--max-examples", &flags.max_examples.to_string()])
        .args(["--seed", &seed.to_string()])
        .status()
        .context("schemathesis does not start: run tests/fuzz/run")?;
    Ok(status.success())
}

/// The lines of the access log for requests from outside.
fn lines(app: &App) -> Vec<Value> {
    app.log()
        .lines()
        .filter_map(|line| serde_json::from_str(&line[line.find('{')?..]).ok())
        .filter(|line: &Value| {
            let route = line["route"].as_str().unwrap_or_default();
            line["message"] == "request" && !route.starts_with("/internal/")
        })
        .collect()
}

fn answered(app: &App) -> BTreeMap<u64, u64> {
    let mut by_status = BTreeMap::new();
    for line in lines(app) {
        *by_status
            .entry(line["status"].as_u64().unwrap_or_default())
            .or_default() += 1;
    }
    by_status
}

fn server_errors(app: &App) -> Vec<String> {
    lines(app)
        .into_iter()
        .filter(|line| line["status"].as_u64().is_some_and(|status| status >= 500))
        .map(|line| line.to_string())
        .collect()
}
