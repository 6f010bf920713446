//! The stand-in for X as a process of its own:
//! `fake-x [--listen 127.0.0.1:4000] [--delay-ms 5] [--unlimited] [--seed 1]`.
//!
//! It prints one line with its address and serves until it is ended. `/__test/` steers it.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use vivesphere_tests::fake_x::{FakeX, Options, Settings};

fn options() -> anyhow::Result<Options> {
    let mut options = Options::default();
    let mut delay = 0;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            "--listen" => options.listen = value()?.parse().context("--listen ADDRESS:PORT")?,
            "--delay-ms" => delay = value()?.parse().context("--delay-ms MILLISECONDS")?,
            "--seed" => options.seed = value()?.parse().context("--seed NUMBER")?,
            "--unlimited" => options.settings = Settings::unlimited(),
            _ => bail!("unknown argument {name}"),
        }
    }
    options.settings.delay_ms = delay;
    Ok(options)
}

#[tokio::main]
async fn main() -> ExitCode {
    let started = match options() {
        Ok(options) => FakeX::start_with(options).await.context("cannot listen"),
        Err(error) => Err(error),
    };
    match started {
        Ok(fake) => {
            println!("fake X listens on {}", fake.base_url);
            fake.run().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
