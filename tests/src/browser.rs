//! A real browser, steered by the WebDriver protocol (W3C) through `chromedriver`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a failed unwrap or a panic is the assertion"
)]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A window of a browser; dropping it ends the browser.
pub struct Browser {
    http: reqwest::Client,
    session: String,
    driver: Child,
}

impl Browser {
    /// Starts one; nothing, and a line that says why, where this machine has none.
    pub async fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(driver) = driver else {
            println!("SKIPPED: there is no chromedriver on this machine");
            return None;
        };
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut browser = Self {
            http,
            session: format!("http://127.0.0.1:{port}"),
            driver,
        };
        let end = Instant::now() + Duration::from_secs(20);
        while browser
            .try_call("GET", "/status", Value::Null)
            .await
            .is_err()
        {
            assert!(Instant::now() < end, "chromedriver does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": [
                "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server",
            ]},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        match browser.try_call("POST", "/session", wanted).await {
            Ok(answer) => {
                let id = answer["sessionId"].as_str().unwrap();
                browser.session = format!("{}/session/{id}", browser.session);
                Some(browser)
            }
            Err(error) => {
                println!("SKIPPED: chromedriver starts no browser here: {error}");
                None
            }
        }
    }

    async fn try_call(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if method == "POST" {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let failed = !answer.status().is_success();
        let body: Value = answer.json().await.map_err(|error| error.to_string())?;
        match failed {
            true => Err(body["value"]["message"].to_string()),
            false => Ok(body["value"].clone()),
        }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let result = self.try_call("POST", path, body).await;
        result.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Opens an address.
    pub async fn open(&self, url: &str) {
        self.post("/url", json!({"url": url})).await;
    }

    /// What a function's body returns in the page.
    pub async fn run(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.post("/execute/sync", body).await
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Panics
    /// When it is not within ten seconds.
    pub async fn wait_for(&self, expression: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        while self.run(&format!("return Boolean({expression})")).await != true {
            assert!(Instant::now() < end, "never: {expression}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Presses keys wherever the focus is, one after the other.
    pub async fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
            })
            .collect();
        let body = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.post("/actions", body).await;
    }

    /// A command of the browser's own protocol.
    pub async fn command(&self, name: &str, parameters: Value) {
        let body = json!({"cmd": name, "params": parameters});
        self.post("/goog/cdp/execute", body).await;
    }

    /// What the browser has warned of, and its errors, since it was last asked.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is asked to, not when it is killed.
        let pid = self.driver.id().to_string();
        let _status = Command::new("kill").args(["-TERM", &pid]).status();
        let _ended = self.driver.wait();
    }
}
