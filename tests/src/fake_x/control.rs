//! `/__test/`: the fake's controls over HTTP, for when it is another process.
//!
//! | call | does |
//! |---|---|
//! | `POST /__test/users` `{username?, scopes?}` | makes an account, answers with its tokens |
//! | `PATCH /__test/users/{id}` `{locked?, suspended?, subscription_type?}` | changes it |
//! | `GET /__test/users/{id}/posts` | what was really posted |
//! | `POST /__test/users/{id}/grants` | another pair of tokens |
//! | `DELETE /__test/users/{id}/grants` | the person disconnects the application |
//! | `DELETE /__test/users/{id}/access-tokens` | they expire |
//! | `POST /__test/app-token` | a token of the application alone |
//! | `POST /__test/faults` (a `FaultRule`), `DELETE /__test/faults` | breaks, mends |
//! | `POST /__test/seed` `{seed}` | restarts chance |
//! | `POST /__test/clock` `{advance_ms}` | moves the clock on |
//! | `GET`, `DELETE /__test/requests`, `GET /__test/counts` | what was asked |
//! | `GET`, `PATCH /__test/settings` | any fields of `Settings` |
//! | `PUT /__test/trends/{woeid}` `[[name, count or null], …]` | trends |
//! | `GET /__test/spent`, `POST /__test/reset` | |

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post, put};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fake::{Control, NewUser, UserChange};
use super::faults::FaultRule;
use super::state::Shared;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clock {
    advance_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    seed: u64,
}

type Fake = State<Control>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/__test/users", post(add_user))
        .route("/__test/users/{id}", patch(change_user))
        .route("/__test/users/{id}/posts", get(posts_of))
        .route("/__test/users/{id}/grants", post(grant).delete(revoke))
        .route("/__test/users/{id}/access-tokens", delete(expire))
        .route("/__test/app-token", post(app_token))
        .route("/__test/faults", post(add_fault).delete(clear_faults))
        .route("/__test/seed", post(seed))
        .route("/__test/clock", post(clock))
        .route("/__test/requests", get(requests).delete(clear_requests))
        .route("/__test/counts", get(counts))
        .route("/__test/settings", get(settings).patch(patch_settings))
        .route("/__test/trends/{woeid}", put(set_trends))
        .route("/__test/spent", get(spent))
        .route("/__test/reset", post(reset))
        .with_state(Control::new(shared))
}

fn json_of(value: impl serde::Serialize) -> Json<Value> {
    Json(serde_json::to_value(value).unwrap_or_default())
}

async fn add_user(State(fake): Fake, Json(user): Json<NewUser>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, json_of(fake.add(user)))
}

async fn change_user(
    State(fake): Fake,
    Path(id): Path<String>,
    Json(change): Json<UserChange>,
) -> StatusCode {
    match fake.change_user(&id, &change) {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::NOT_FOUND,
    }
}

async fn posts_of(State(fake): Fake, Path(id): Path<String>) -> Json<Value> {
    json_of(fake.posts_of(&id))
}

async fn grant(State(fake): Fake, Path(id): Path<String>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, json_of(fake.grant(&id)))
}

async fn revoke(State(fake): Fake, Path(id): Path<String>) -> StatusCode {
    fake.revoke_grants_of(&id);
    StatusCode::NO_CONTENT
}

async fn expire(State(fake): Fake, Path(id): Path<String>) -> StatusCode {
    fake.expire_access_tokens_of(&id);
    StatusCode::NO_CONTENT
}

async fn app_token(State(fake): Fake) -> Json<Value> {
    Json(json!({"access_token": fake.app_token()}))
}

async fn add_fault(State(fake): Fake, Json(rule): Json<FaultRule>) -> StatusCode {
    fake.fault(rule);
    StatusCode::CREATED
}

async fn clear_faults(State(fake): Fake) -> StatusCode {
    fake.clear_faults();
    StatusCode::NO_CONTENT
}

async fn seed(State(fake): Fake, Json(body): Json<Seed>) -> StatusCode {
    fake.seed(body.seed);
    StatusCode::NO_CONTENT
}

async fn clock(State(fake): Fake, Json(body): Json<Clock>) -> Json<Value> {
    fake.advance(Duration::from_millis(body.advance_ms));
    Json(json!({"now_ms": fake.now()}))
}

async fn requests(State(fake): Fake) -> Json<Value> {
    json_of(fake.requests())
}

async fn clear_requests(State(fake): Fake) -> StatusCode {
    fake.clear_requests();
    StatusCode::NO_CONTENT
}

async fn counts(State(fake): Fake) -> Json<Value> {
    json_of(fake.counts())
}

async fn settings(State(fake): Fake) -> Json<Value> {
    json_of(fake.settings())
}

async fn patch_settings(
    State(fake): Fake,
    Json(changes): Json<Value>,
) -> Result<Json<Value>, (StatusCode, String)> {
    fake.patch_settings(&changes)
        .map(json_of)
        .map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error))
}

async fn set_trends(
    State(fake): Fake,
    Path(woeid): Path<String>,
    Json(trends): Json<Vec<(String, Option<u64>)>>,
) -> StatusCode {
    fake.set_trends(&woeid, trends);
    StatusCode::NO_CONTENT
}

async fn spent(State(fake): Fake) -> Json<Value> {
    Json(json!({"thousandths_of_a_dollar": fake.spent()}))
}

async fn reset(State(fake): Fake) -> StatusCode {
    fake.reset();
    StatusCode::NO_CONTENT
}
