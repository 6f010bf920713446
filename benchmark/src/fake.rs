//! The stand-in for X, as a process of its own.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::application::Application;
use crate::cargo;
use crate::process::Process;

/// A running one.
pub(crate) struct Fake {
    /// Where it listens.
    pub(crate) base_url: String,
    /// The accounts that bots were made for.
    accounts: Vec<String>,
    http: reqwest::Client,
    _process: Process,
}

impl Fake {
    /// Starts one that answers after this many milliseconds and limits nothing.
    pub(crate) fn start(delay_milliseconds: u32) -> anyhow::Result<Self> {
        let mut command = Command::new(cargo::repository().join("target/debug/fake-x"));
        command
            .args(["--listen", "127.0.0.1:0", "--unlimited"])
            .args(["--delay-ms", &delay_milliseconds.to_string()])
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let output = process.child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let base_url = line.split_whitespace().last().context("no address")?;
        Ok(Self {
            base_url: base_url.to_owned(),
            accounts: Vec::new(),
            http: reqwest::Client::builder().no_proxy().build()?,
            _process: process,
        })
    }

    /// Makes accounts and, over the API, a bot with the credentials of each; gives the bots' ids.
    pub(crate) async fn bots(
        &mut self,
        application: &Application,
        token: &str,
        count: usize,
    ) -> anyhow::Result<Vec<String>> {
        let mut bots = Vec::new();
        for number in 0..count {
            let user = json!({"username": format!("account{number}")});
            let url = format!("{}/__test/users", self.base_url);
            let answer = self.http.post(url).json(&user).send().await?;
            let account: Value = answer.error_for_status()?.json().await?;
            let new = json!({
                "bot_name": format!("bot {number:03}"),
                "credentials": {
                    "type": "oauth2",
                    "access_token": account["access_token"],
                    "refresh_token": account["refresh_token"],
                },
            });
            let bot = application
                .post("/api/v1/bots/create", token, Some(&new))
                .await?;
            ensure!(bot["status"] == "active", "a bot is not connected: {bot}");
            bots.push(bot["bot_id"].as_str().context("no id")?.to_owned());
            let id = account["user_id"].as_str().context("no id")?;
            self.accounts.push(id.to_owned());
        }
        Ok(bots)
    }

    /// How many posts there are on all accounts, and how many different texts.
    pub(crate) async fn posted(&self) -> anyhow::Result<(usize, usize)> {
        let (mut count, mut texts) = (0, HashSet::new());
        for account in &self.accounts {
            let url = format!("{}/__test/users/{account}/posts", self.base_url);
            let posts: Vec<Value> = self.http.get(url).send().await?.json().await?;
            count += posts.len();
            texts.extend(
                posts
                    .iter()
                    .filter_map(|post| post["text"].as_str().map(str::to_owned)),
            );
        }
        Ok((count, texts.len()))
    }
}
