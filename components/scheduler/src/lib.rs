//! The tick: woken by a schedule, it calls one worker's job entry and logs what came back.
//!
//! It uses Spin's variables and WASI 0.2 HTTP only, because the cron trigger's process offers
//! nothing of WASI 0.3. Overlapping ticks are harmless: the worker's leases decide.

#[cfg(target_arch = "wasm32")]
mod request;

#[cfg(target_arch = "wasm32")]
#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from wit/"
)]
mod cron {
    spin_sdk::wit_bindgen::generate!({
        path: "wit",
        world: "spin-cron",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });

    pub(crate) struct Tick;
    export!(Tick);
}

#[cfg(target_arch = "wasm32")]
impl cron::Guest for cron::Tick {
    async fn handle_cron_event(
        _: cron::spin::cron::cron_types::Metadata,
    ) -> Result<(), cron::spin::cron::cron_types::Error> {
        tick()
            .await
            .map_err(cron::spin::cron::cron_types::Error::Other)
    }
}

#[cfg(target_arch = "wasm32")]
async fn tick() -> Result<(), String> {
    let read = async |name: &str| {
        spin_sdk::variables::get(name)
            .await
            .map_err(|_| format!("the variable `{name}` is missing"))
    };
    let job = read("job").await?;
    let base = read("jobs_base_url").await?;
    let key = read("service_key").await?;
    let started = std::time::Instant::now();
    let result = request::post(&base, &format!("/api/v1/jobs/{job}/run"), &key);
    let took = started.elapsed().as_millis();
    match result {
        Ok(answer) if (200..300).contains(&answer.status) => {
            if !answer.idle {
                log("info", &job, answer.status, took, &answer.body);
            }
            Ok(())
        }
        Ok(answer) => {
            log("error", &job, answer.status, took, &answer.body);
            Err(format!("the job entry answered {}", answer.status))
        }
        Err(reason) => {
            log("error", &job, 0, took, &reason);
            Err(reason)
        }
    }
}

#[cfg(target_arch = "wasm32")]
#[allow(
    clippy::print_stdout,
    reason = "standard output is where a component logs"
)]
fn log(level: &str, job: &str, status: u16, milliseconds: u128, body: &str) {
    // `{:?}` writes a string as JSON does, for all that a job's answer holds.
    println!(
        "{{\"level\":\"{level}\",\"message\":\"tick\",\"job\":{job:?},\"status\":{status},\
         \"duration_ms\":{milliseconds},\"answer\":{body:?}}}"
    );
}
