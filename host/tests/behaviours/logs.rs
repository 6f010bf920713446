//! What components print, and what the host says of requests, in the host's log. In a process
//! of its own: the log is its standard error.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::support::App;

struct Up {
    child: Child,
    address: String,
    log: mpsc::Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Up {
    fn start(app: App, level: &str) -> Self {
        let folder = app.written();
        let mut child = Command::new(env!("CARGO_BIN_EXE_vivesphere"))
            .args(["up", "--listen", "127.0.0.1:0", "--disable-pooling"])
            .args(["--request-timeout", "500ms"])
            .current_dir(folder.path())
            .env("RUST_LOG", level)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.lines().map(Result::unwrap);
        let address = lines
            .find_map(|line| {
                let (_, rest) = line.split_once("ready at ")?;
                rest.split_whitespace().next().map(str::to_owned)
            })
            .expect("it is ready");
        // The rest is read, so that nothing has to wait.
        std::thread::spawn(move || lines.for_each(drop));
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            address,
            log,
            _folder: folder,
        }
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> u16 {
        self.get_as(path, query, "").await.0
    }

    /// The status and the id of a request that was given an id.
    async fn get_as(&self, path: &str, query: &[(&str, &str)], id: &str) -> (u16, String) {
        let url = format!("{}{path}", self.address);
        let mut request = reqwest::Client::new().get(url).query(query);
        if !id.is_empty() {
            request = request.header("x-request-id", id);
        }
        let answer = request.send().await.unwrap();
        let id = answer.headers().get("x-request-id");
        let id = id.map_or("", |id| id.to_str().unwrap());
        (answer.status().as_u16(), id.to_owned())
    }

    /// The next record that fits.
    fn record(&self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self
                .log
                .recv_timeout(Duration::from_secs(10))
                .expect("no such record");
            let Ok(record) = serde_json::from_str(&line) else {
                continue;
            };
            if fits(&record) {
                return record;
            }
        }
    }

    fn message(&self, message: &str) -> Value {
        self.record(|record| record["message"] == message)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_prints_is_in_the_log_with_its_name() {
    let up = Up::start(App::guest(""), "info");
    let query = [("out", "to the output"), ("error", "to the error output")];
    assert_eq!(up.get("/print", &query).await, 200);
    for message in ["to the output", "to the error output"] {
        let record = up.message(message);
        assert_eq!(record["component"], "guest");
        assert_eq!(record["level"], "INFO");
    }
    // A record of the component's own passes as it is, with its component.
    let own = r#"{"level":"WARN","message":"own","number":7}"#;
    up.get("/print", &[("out", own)]).await;
    assert_eq!(
        up.message("own"),
        serde_json::json!({ "component": "guest", "level": "WARN", "message": "own", "number": 7 })
    );
    // Lines are lines.
    up.get("/print", &[("out", "one\ntwo")]).await;
    up.message("one");
    up.message("two");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_says_which_requests_it_answered_itself_and_why() {
    let up = Up::start(App::guest(""), "info");
    let of = |path: &'static str| {
        move |record: &Value| record["path"] == path && record["level"] == "ERROR"
    };
    assert_eq!(up.get("/trap", &[("key", "s3cret")]).await, 500);
    let record = up.record(of("/trap"));
    assert_eq!(record["status"], 500);
    assert_eq!(record["component"], "guest");
    assert_eq!(record["method"], "GET");
    assert!(record["duration_ms"].as_f64().unwrap() > 0.0);
    // A query may hold what is nobody's business.
    assert!(!record.to_string().contains("s3cret"));
    assert_eq!(up.get("/slow", &[("ms", "5000")]).await, 504);
    let record = up.record(of("/slow"));
    assert_eq!(record["status"], 504);
    assert!(record["duration_ms"].as_f64().unwrap() >= 500.0);
    let url = [("url", "http://example.com/path?query")];
    assert_eq!(up.get("/fetch", &url).await, 200);
    let record = up.record(|record| record["host"] == "example.com");
    assert_eq!(record["component"], "guest");
    assert_eq!(record["level"], "WARN");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_answers_itself_is_found_in_the_log_by_its_id() {
    let up = Up::start(App::guest(""), "info");
    for (path, query, status) in [
        ("/trap", ("key", "value"), 500),
        ("/slow", ("ms", "5000"), 504),
    ] {
        for given in ["my-request.0001_x", "", "short", "not a plain one"] {
            let (got, id) = up.get_as(path, &[query], given).await;
            assert_eq!(got, status);
            let kept = given == "my-request.0001_x";
            assert_eq!(id == given, kept, "{id}");
            assert!(kept || id.parse::<uuid::Uuid>().is_ok(), "{id}");
            let record = up.record(|record| record["path"] == path && record["level"] == "ERROR");
            assert_eq!(record["request_id"], id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_components_answered_are_for_debugging() {
    let up = Up::start(App::guest(""), "vivesphere::request=debug");
    assert_eq!(up.get("/hello", &[]).await, 200);
    let record = up.record(|record| record["path"] == "/hello");
    assert_eq!(record["level"], "DEBUG");
    assert_eq!(record["status"], 200);
}
