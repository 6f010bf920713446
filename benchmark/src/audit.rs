//! Walking the audit trail's chain.

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use crate::application::Application;
use crate::table::{Table, Wanted};

const ROWS: i64 = 500_000;
const WALKS: usize = 5;

/// Rows a second.
pub(crate) async fn measure(table: &mut Table) -> anyhow::Result<()> {
    eprintln!("verifying {ROWS} rows of the audit trail");
    let mut application = Application::vivesphere(None, false)?;
    application.restart().await?;
    let token = application.sign_in().await?;
    // What the sign-in wrote is sealed; the rest follows it.
    application.drain_logs().await?;
    application.fill(fill).await?;
    let mut rates = Vec::new();
    for _ in 0..WALKS {
        let path = "/api/v1/audit/verify?budget_seconds=55";
        let (found, time) = application.get(path, &token).await?;
        ensure!(found["intact"] == true, "not intact: {found}");
        let rows = found["verified_rows"].as_i64().context("no count")?;
        ensure!(rows > ROWS, "{rows} rows of more than {ROWS}");
        rates.push(rows as f64 / time.as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let what = "GET /api/v1/audit/verify, median";
    table.add(what, rates[WALKS / 2], "rows/s", Wanted::AtLeast(200_000.0));
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rows as changes write them, sealed by the rule that the chain's documentation gives.
fn fill(database: &mut Connection) -> anyhow::Result<()> {
    let transaction = database.transaction()?;
    let (mut audit_id, mut hash): (i64, String) =
        transaction.query_row("SELECT audit_id, hash FROM audit_head", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut digest = Vec::new();
    for pair in hash.as_bytes().chunks(2) {
        digest.push(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    }
    {
        let mut insert = transaction.prepare(
            "INSERT INTO audit_log (audit_id, occurred_at, actor_kind, actor_id, action, subject_id,
                detail, request_id, hash) VALUES (?, ?, 'user', ?, ?, ?, ?, ?, ?)",
        )?;
        let actor_id = uuid::Uuid::now_v7().to_string();
        for number in 0..ROWS {
            audit_id += 1;
            let occurred_at = 1_750_000_000_000 + number;
            let subject_id = uuid::Uuid::now_v7().to_string();
            let request_id = uuid::Uuid::now_v7().to_string();
            let detail = format!("{{\"number\":{number},\"state\":\"published\"}}");
            let action = "post.published";
            let mut entry = String::new();
            for field in [
                &audit_id.to_string(),
                &occurred_at.to_string(),
                "user",
                &actor_id,
                action,
                &subject_id,
                &detail,
                &request_id,
            ] {
                entry.push_str(&format!("{}:{field}", field.len()));
            }
            let next = Sha256::new().chain_update(&digest).chain_update(&entry);
            digest = next.finalize().to_vec();
            hash = hex(&digest);
            insert.execute(params![
                audit_id,
                occurred_at,
                actor_id,
                action,
                subject_id,
                detail,
                request_id,
                hash
            ])?;
        }
    }
    transaction.execute(
        "UPDATE audit_head SET audit_id = ?1, hash = ?2, sealed_rows = sealed_rows + ?3",
        params![audit_id, hash, ROWS],
    )?;
    transaction.commit()?;
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
