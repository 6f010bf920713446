//! The stored versions: every change makes one, and a rollback is a change too.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use super::validation::{fit_together, parse};
use super::{Setting, Value, find, of_service};
use crate::{Actor, Error, Instant, Listed, Page, audit, new_id};

/// What is set, by name; what is not here has its default.
pub type Overrides = BTreeMap<String, Json>;

/// Stands where a secret value would.
const SECRET: &str = "(secret)";

/// One version of a service's settings.
#[derive(Debug, Clone, Default)]
pub struct Version {
    /// Its id; empty for version 0, which nobody made.
    pub settings_id: String,
    /// The service.
    pub service: String,
    /// From 1; 0 is the defaults.
    pub version: i64,
    /// What is set in it.
    pub settings: Overrides,
    /// What was set in the version before.
    before: Overrides,
    /// `update` or `rollback`.
    pub action: String,
    /// The version that a rollback brought back.
    pub rolled_back_to: Option<i64>,
    /// What kind of principal changed it.
    pub actor_kind: String,
    /// Who changed it.
    pub actor_id: String,
    /// In which request.
    pub request_id: String,
    /// When; nothing for version 0.
    pub changed_at: Option<Instant>,
}

/// What differs between two versions in one setting; `None` is its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The setting.
    pub name: String,
    /// What it was.
    pub from: Option<Json>,
    /// What it is.
    pub to: Option<Json>,
}

const COLUMNS: &str = "s.settings_id, s.service_name, s.version, s.settings, p.settings, s.action,
    s.rolled_back_to, s.actor_kind, s.actor_id, s.request_id, s.changed_at
    FROM settings s LEFT JOIN settings p
        ON p.service_name = s.service_name AND p.version = s.version - 1";

impl FromRow for Version {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            settings_id: row.text(0)?,
            service: row.text(1)?,
            version: row.get(2)?,
            settings: overrides(&row.text(3)?),
            before: overrides(&row.text_optional(4)?.unwrap_or_default()),
            action: row.text(5)?,
            rolled_back_to: row.get_optional(6)?,
            actor_kind: row.text(7)?,
            actor_id: row.text(8)?,
            request_id: row.text(9)?,
            changed_at: Some(Instant::from_unix_millis(row.get(10)?)),
        })
    }
}

fn overrides(text: &str) -> Overrides {
    serde_json::from_str(text).unwrap_or_default()
}

impl Version {
    fn defaults(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            ..Self::default()
        }
    }

    /// What is set in it, ready to be used. What this build does not know, or would not accept,
    /// is as if it were not set.
    #[must_use]
    pub fn values(&self) -> Vec<(&'static Setting, Value)> {
        values(&self.service, &self.settings)
    }

    /// What this version changed, secrets left out.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        changes(&self.service, &self.before, &self.settings)
    }
}

/// What differs, setting by setting. A secret setting shows that it differs, not how.
#[must_use]
pub fn changes(service: &str, from: &Overrides, to: &Overrides) -> Vec<Change> {
    let shown = |name: &str, value: Option<&Json>| {
        let secret = find(service, name).is_none_or(|setting| setting.secret);
        value.map(|value| match secret {
            true => Json::from(SECRET),
            false => value.clone(),
        })
    };
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| Change {
            name: name.clone(),
            from: shown(name, from.get(name)),
            to: shown(name, to.get(name)),
        })
        .collect()
}

const CURRENT: &str = "WHERE s.service_name = ? ORDER BY s.version DESC LIMIT 1";

/// The version that holds now.
///
/// # Errors
/// [`Error::NotFound`] for a service that is not in the table; storage.
pub async fn current(db: &Database, service: &str) -> Result<Version, Error> {
    known(service)?;
    let found = db
        .query_optional(&format!("SELECT {COLUMNS} {CURRENT}"), params![service])
        .await?;
    Ok(found.unwrap_or_else(|| Version::defaults(service)))
}

async fn current_of(transaction: &Transaction, service: &str) -> Result<Version, Error> {
    let found = transaction
        .query_optional(&format!("SELECT {COLUMNS} {CURRENT}"), params![service])
        .await?;
    Ok(found.unwrap_or_else(|| Version::defaults(service)))
}

fn known(service: &str) -> Result<(), Error> {
    match of_service(service).next() {
        Some(_) => Ok(()),
        None => Err(Error::NotFound),
    }
}

/// One version; 0 is the defaults.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn at_version(db: &Database, service: &str, version: i64) -> Result<Version, Error> {
    known(service)?;
    if version == 0 {
        return Ok(Version::defaults(service));
    }
    db.query_optional(
        &format!("SELECT {COLUMNS} WHERE s.service_name = ? AND s.version = ?"),
        params![service, version],
    )
    .await?
    .ok_or(Error::NotFound)
}

/// The versions, newest first.
///
/// # Errors
/// [`Error::NotFound`] for a service that is not in the table; storage.
pub async fn history(db: &Database, service: &str, page: &Page) -> Result<Listed<Version>, Error> {
    known(service)?;
    let rows = db
        .query(
            &format!(
                "SELECT {COLUMNS} WHERE s.service_name = ?1 AND (?2 IS NULL OR s.version <
                    (SELECT version FROM settings WHERE settings_id = ?2))
                 ORDER BY s.version DESC LIMIT ?3"
            ),
            params![service, page.after.clone(), page.rows()],
        )
        .await?;
    Ok(page.cut(rows, |version: &Version| &version.settings_id))
}

/// Rises with every change of any service: what was read before it is not to be read again.
///
/// # Errors
/// Storage.
pub async fn change_number(db: &Database) -> Result<i64, vivesphere_db::Error> {
    let number: Option<i64> = db
        .query_optional(
            "SELECT coalesce(max(change_number), 0) FROM settings",
            params![],
        )
        .await?;
    Ok(number.unwrap_or(0))
}

fn values(service: &str, settings: &Overrides) -> Vec<(&'static Setting, Value)> {
    let accepted = settings.iter().filter_map(|(name, json)| {
        let setting = find(service, name)?;
        Some((setting, setting.parse(json).ok()?))
    });
    accepted.collect()
}

/// What is set in every service, as [`Version::values`].
///
/// # Errors
/// Storage.
pub async fn every_current(
    db: &Database,
) -> Result<Vec<(&'static Setting, Value)>, vivesphere_db::Error> {
    let rows: Vec<Row> = db
        .query(
            "SELECT service_name, settings FROM settings s WHERE version =
                (SELECT max(version) FROM settings WHERE service_name = s.service_name)",
            params![],
        )
        .await?;
    let mut found = Vec::new();
    for row in rows {
        found.extend(values(&row.text(0)?, &overrides(&row.text(1)?)));
    }
    Ok(found)
}

/// Sets what is given, takes back to its default what is given as `null`, leaves the rest.
/// Nothing that differs makes no version.
///
/// `base` is where in the request the settings stand, for the pointers of what is refused.
///
/// # Errors
/// [`Error::NotFound`] for a service that is not in the table; [`Error::Invalid`];
/// [`Error::StaleVersion`] when another version than the expected one holds; storage.
pub async fn update(
    db: &Database,
    actor: &Actor,
    service: &str,
    expected_version: Option<i64>,
    given: &Map<String, Json>,
    base: &str,
) -> Result<Version, Error> {
    known(service)?;
    let parsed = parse(service, given, base)?;
    let transaction = db.transaction().await?;
    let before = current_of(&transaction, service).await?;
    expect(&before, expected_version)?;
    let mut settings = before.settings.clone();
    for (name, value) in parsed {
        match value {
            Some(value) => settings.insert(name, value.to_json()),
            None => settings.remove(&name),
        };
    }
    fit_together(service, &settings, base)?;
    store(transaction, actor, before, settings, None).await
}

/// Makes what was set in an earlier version hold again, as a new version.
///
/// # Errors
/// [`Error::NotFound`] for a version that is not there; [`Error::StaleVersion`];
/// [`Error::Conflict`] `version_not_valid` when today's table would refuse it; storage.
pub async fn roll_back(
    db: &Database,
    actor: &Actor,
    service: &str,
    expected_version: Option<i64>,
    to_version: i64,
) -> Result<Version, Error> {
    let target = at_version(db, service, to_version).await?;
    let given: Map<String, Json> = target.settings.clone().into_iter().collect();
    let accepted =
        parse(service, &given, "").and_then(|_| fit_together(service, &target.settings, ""));
    if accepted.is_err() {
        return Err(Error::conflict(
            "version_not_valid",
            "That version holds what would be refused today.",
        ));
    }
    let transaction = db.transaction().await?;
    let before = current_of(&transaction, service).await?;
    expect(&before, expected_version)?;
    store(
        transaction,
        actor,
        before,
        target.settings,
        Some(to_version),
    )
    .await
}

fn expect(current: &Version, expected: Option<i64>) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != current.version => Err(Error::StaleVersion {
            current: current.version,
        }),
        _ => Ok(()),
    }
}

async fn store(
    transaction: Transaction,
    actor: &Actor,
    before: Version,
    settings: Overrides,
    rolled_back_to: Option<i64>,
) -> Result<Version, Error> {
    if before.settings == settings {
        return Ok(before);
    }
    let now = Instant::now();
    let version = Version {
        settings_id: new_id(),
        version: before.version + 1,
        service: before.service,
        settings,
        before: before.settings,
        action: if rolled_back_to.is_some() {
            "rollback"
        } else {
            "update"
        }
        .to_owned(),
        rolled_back_to,
        actor_kind: actor.kind.to_owned(),
        actor_id: actor.id.clone(),
        request_id: actor.request_id.clone(),
        changed_at: Some(now),
    };
    transaction
        .execute(
            "INSERT INTO settings (settings_id, service_name, version, settings, action,
                rolled_back_to, actor_kind, actor_id, request_id, changed_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                version.settings_id.as_str(),
                version.service.as_str(),
                version.version,
                serde_json::to_string(&version.settings)
                    .map_err(|error| Error::Internal(error.to_string()))?,
                version.action.as_str(),
                version.rolled_back_to,
                version.actor_kind.as_str(),
                version.actor_id.as_str(),
                version.request_id.as_str(),
                now.unix_millis(),
            ],
        )
        .await?;
    let changed: Vec<Json> = version
        .changes()
        .into_iter()
        .map(|change| json!({"name": change.name, "from": change.from, "to": change.to}))
        .collect();
    let (action, detail) = match rolled_back_to {
        None => (
            "settings.updated",
            json!({"version": version.version, "changes": changed}),
        ),
        Some(to) => (
            "settings.rolled_back",
            json!({"version": version.version, "to_version": to, "changes": changed}),
        ),
    };
    audit::record(&transaction, actor, action, &version.service, &detail).await?;
    transaction.commit().await?;
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_was_set_changed_and_taken_back() {
        let set = |json: Json| serde_json::from_value::<Overrides>(json).unwrap();
        let from = set(json!({"compression": false, "rate_limit_per_minute": 5}));
        let to = set(json!({"rate_limit_per_minute": 6, "rate_limit_enabled": false}));
        let names: Vec<_> = changes("gateway", &from, &to)
            .into_iter()
            .map(|change| (change.name, change.from, change.to))
            .collect();
        assert_eq!(
            names,
            [
                ("compression".to_owned(), Some(json!(false)), None),
                ("rate_limit_enabled".to_owned(), None, Some(json!(false))),
                (
                    "rate_limit_per_minute".to_owned(),
                    Some(json!(5)),
                    Some(json!(6))
                ),
            ]
        );
    }

    #[test]
    fn what_the_table_does_not_know_is_never_shown() {
        let to = Overrides::from([("gone".to_owned(), json!("hidden"))]);
        let shown = changes("gateway", &Overrides::new(), &to);
        assert_eq!(shown[0].to, Some(json!(SECRET)));
    }
}
