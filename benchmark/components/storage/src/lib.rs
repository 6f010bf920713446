//! One read of a store and no work beside it, a path for each kind.
#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use spin_sdk::key_value::Store;
use spin_sdk::sqlite::{Connection, Value};

const SELECT: &str = "SELECT value FROM measured WHERE id = ?";

thread_local! {
    // Taken out while a statement runs: on one connection a second one would wait for the first.
    static KEPT: RefCell<Vec<Connection>> = const { RefCell::new(Vec::new()) };
}

#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> Response<Full<Bytes>> {
    let result = match request.uri().path() {
        "/prepare" => prepare().await,
        "/key-value" => key_value().await,
        "/sqlite" => sqlite().await,
        "/sqlite-kept" => sqlite_kept().await,
        path => Err(format!("there is no {path}")),
    };
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(reason) => (StatusCode::INTERNAL_SERVER_ERROR, reason.into_bytes()),
    };
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    response
}

fn reason(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

async fn run(
    connection: &Connection,
    statement: &str,
    parameters: Vec<Value>,
) -> Result<Vec<u8>, String> {
    let result = connection
        .execute(statement, parameters)
        .await
        .map_err(reason)?;
    let rows = result.collect().await.map_err(reason)?;
    Ok(rows
        .first()
        .and_then(|row| row.get::<&str>(0))
        .unwrap_or_default()
        .into())
}

async fn prepare() -> Result<Vec<u8>, String> {
    let store = Store::open_default().await.map_err(reason)?;
    store.set("measured", "value").await.map_err(reason)?;
    let connection = Connection::open_default().await.map_err(reason)?;
    for statement in [
        "PRAGMA journal_mode=WAL",
        "CREATE TABLE IF NOT EXISTS measured (id INTEGER PRIMARY KEY, value TEXT NOT NULL)",
        "INSERT OR REPLACE INTO measured VALUES (1, 'value')",
    ] {
        run(&connection, statement, Vec::new()).await?;
    }
    Ok(Vec::new())
}

async fn key_value() -> Result<Vec<u8>, String> {
    let store = Store::open_default().await.map_err(reason)?;
    let value = store.get("measured").await.map_err(reason)?;
    value.ok_or_else(|| "there is no value".to_owned())
}

async fn sqlite() -> Result<Vec<u8>, String> {
    let connection = Connection::open_default().await.map_err(reason)?;
    run(&connection, SELECT, vec![Value::Integer(1)]).await
}

async fn sqlite_kept() -> Result<Vec<u8>, String> {
    let kept = KEPT.with_borrow_mut(Vec::pop);
    let connection = match kept {
        Some(connection) => connection,
        None => Connection::open_default().await.map_err(reason)?,
    };
    let row = run(&connection, SELECT, vec![Value::Integer(1)]).await?;
    KEPT.with_borrow_mut(|kept| kept.push(connection));
    Ok(row)
}
