//! The chain itself: how a row is written for hashing, and the walk that finds the first row that
//! is not as it was sealed. It knows no database.

use serde::Serialize;
use vivesphere_crypto::ChainHash;

/// One row of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place, from 1, without holes.
    pub audit_id: i64,
    /// Unix milliseconds.
    pub occurred_at: i64,
    /// `user`, `access_key`, `service` or `anonymous`.
    pub actor_kind: String,
    /// The principal's id; empty for `anonymous`.
    pub actor_id: String,
    /// `<noun>.<past participle>`.
    pub action: String,
    /// What it was done to.
    pub subject_id: String,
    /// A JSON object.
    pub detail: String,
    /// The request.
    pub request_id: String,
    /// The hash in hexadecimal, once it is sealed.
    pub hash: Option<String>,
}

impl Row {
    /// The row as it is hashed: its eight fields in the order of the table, each as the number of
    /// its bytes in decimal, a colon and the bytes; numbers in decimal. Lengths come first, so two
    /// different rows are never written alike. [`CANONICAL`] is the same in SQL.
    #[must_use]
    pub fn canonical(&self) -> String {
        let (audit_id, occurred_at) = (self.audit_id.to_string(), self.occurred_at.to_string());
        let fields = [
            &audit_id,
            &occurred_at,
            &self.actor_kind,
            &self.actor_id,
            &self.action,
            &self.subject_id,
            &self.detail,
            &self.request_id,
        ];
        let mut text = String::with_capacity(256);
        for field in fields {
            text.push_str(&field.len().to_string());
            text.push(':');
            text.push_str(field);
        }
        text
    }
}

/// [`Row::canonical`] in SQL.
pub(super) const CANONICAL: &str = "octet_length(audit_id) || ':' || audit_id
    || octet_length(occurred_at) || ':' || occurred_at
    || octet_length(actor_kind) || ':' || actor_kind
    || octet_length(actor_id) || ':' || actor_id
    || octet_length(action) || ':' || action
    || octet_length(subject_id) || ':' || subject_id
    || octet_length(detail) || ':' || detail
    || octet_length(request_id) || ':' || request_id";

/// A place in the chain and the hash there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The row; 0 before the first.
    pub audit_id: i64,
    /// Its hash.
    pub hash: ChainHash,
}

impl Place {
    /// Before the first row.
    pub const START: Self = Self {
        audit_id: 0,
        hash: ChainHash::GENESIS,
    };

    /// The place after this one, when `row` stands there.
    #[must_use]
    pub fn then(&self, audit_id: i64, canonical: &[u8]) -> Self {
        Self {
            audit_id,
            hash: self.hash.next(canonical),
        }
    }
}

/// What is wrong with the first row that is not as it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its fields, its hash or its place is not what was sealed: it was changed, or it stands
    /// where another stood.
    Changed,
    /// It is not there any more.
    Removed,
    /// It is there and was never sealed there.
    Inserted,
}

/// The first row that is not as it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// The row.
    pub audit_id: i64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// A walk along the chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    /// The last row that was as sealed.
    pub(super) place: Place,
    /// Rows walked over.
    pub(super) rows: i64,
}

impl Walk {
    pub(super) fn from(place: Place) -> Self {
        Self { place, rows: 0 }
    }

    /// Steps onto the next row there is, in the order of ids.
    pub(super) fn step(
        &mut self,
        audit_id: i64,
        canonical: &[u8],
        hash: &str,
    ) -> Result<(), Broken> {
        let expected = self.place.audit_id + 1;
        let broken = |audit_id, reason| Err(Broken { audit_id, reason });
        if audit_id < expected {
            return broken(audit_id, Reason::Inserted);
        }
        if audit_id > expected {
            return broken(expected, Reason::Removed);
        }
        if hash.is_empty() {
            return broken(audit_id, Reason::Inserted);
        }
        let next = self.place.then(audit_id, canonical);
        if ChainHash::from_hex(hash) != Some(next.hash) {
            return broken(audit_id, Reason::Changed);
        }
        self.place = next;
        self.rows += 1;
        Ok(())
    }

    /// Whether the walk ended at the chain's head: a walk that ends before it misses the rows
    /// that follow, and one that ends there with another hash has a last row that is not it.
    pub(super) fn arrived(&self, head: &Place) -> Result<(), Broken> {
        let broken = |audit_id, reason| Err(Broken { audit_id, reason });
        if self.place.audit_id < head.audit_id {
            return broken(self.place.audit_id + 1, Reason::Removed);
        }
        if self.place.audit_id > head.audit_id {
            return broken(head.audit_id + 1, Reason::Inserted);
        }
        if self.place.hash != head.hash {
            return broken(head.audit_id, Reason::Changed);
        }
        Ok(())
    }

    /// Steps onto every row of a packed text: for each row its canonical form and its hash, each
    /// as the number of its bytes, a colon and the bytes. Nothing when it cannot be read.
    pub(super) fn step_packed(&mut self, packed: &[u8]) -> Option<Result<(), Broken>> {
        let mut rest = packed;
        while !rest.is_empty() {
            let (canonical, after) = measured(rest)?;
            let (hash, after) = measured(after)?;
            let (audit_id, _) = measured(canonical)?;
            let audit_id = std::str::from_utf8(audit_id).ok()?.parse().ok()?;
            // What is no text is no hash of ours.
            let hash = std::str::from_utf8(hash).unwrap_or("?");
            if let Err(broken) = self.step(audit_id, canonical, hash) {
                return Some(Err(broken));
            }
            rest = after;
        }
        Some(Ok(()))
    }
}

/// Reads `<length>:<bytes>`; gives the bytes and what follows.
fn measured(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                let digit = usize::from(byte - b'0');
                length = length.checked_mul(10)?.checked_add(digit)?;
            }
            b':' if at > 0 => return text.get(at + 1..)?.split_at_checked(length),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
