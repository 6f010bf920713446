//! The guide's commands still work: its `sh` blocks are run, in order, as one script.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use vivesphere_tests::app::App;
use vivesphere_tests::build::repository;
use vivesphere_tests::fake_x::FakeX;

/// The blocks of a language, in order.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(found) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if found == language {
                blocks.push(block.join("\n"));
            }
        }
    }
    blocks
}

#[tokio::test]
async fn the_guide_leads_from_sign_in_to_a_published_post() {
    let guide = std::fs::read_to_string(repository().join("docs/guide.md")).unwrap();
    let blocks = blocks(&guide, "sh");
    assert!(blocks.len() >= 10, "{} blocks", blocks.len());
    let fake = FakeX::start().await;
    let app = App::start_with(&fake).await;
    let walk = Command::new("sh")
        .args(["-eu", "-c", &blocks.join("\n")])
        .env("BASE", &app.base_url)
        .env("X", &fake.base_url)
        .env("PASSWORD", app.variable("bootstrap_admin_password"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let walk = tokio::time::timeout(Duration::from_secs(120), walk);
    // The schedule's part: the application of a test has none of its own.
    let schedule = async {
        loop {
            app.run_job("publish").await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let output = tokio::select! {
        output = walk => output.unwrap().unwrap(),
        () = schedule => unreachable!("the schedule does not end"),
    };
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let shown = String::from_utf8_lossy(&output.stdout);
    for part in [
        "\"state\":\"published\"",
        "\"handle\":\"weather_lyon\"",
        "purpose: ",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    // What the guide says is on X, once.
    let state = "SELECT x_user_id FROM bots WHERE bot_name = 'Lyon' AND status = 'paused'";
    let user_id: String = app
        .database()
        .query_row(state, [], |row| row.get(0))
        .unwrap();
    let posts = fake.posts_of(&user_id);
    assert_eq!(posts.len(), 1);
    assert!(guide.contains(&posts[0].text));
}
