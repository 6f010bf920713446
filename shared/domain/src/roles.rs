//! Roles: named sets of permissions. Four are built in and cannot be changed; others are made of
//! the closed list in `permissions`.

mod assignment;
mod authority;

use serde_json::json;
use vivesphere_db::{Database, FromRow, Row, Transaction, params};

use crate::permissions::{BuiltInRole, Permission, PermissionSet};
use crate::{Actor, Error, Instant, Listed, Page, Principal, audit};

pub use assignment::{Assigned, assign, unassign};
pub(crate) use assignment::{check_named_once, replace};
pub use authority::permissions_of;
pub(crate) use authority::{keep_an_admin, read, require_over, written};

/// Most roles that can be made.
pub const MADE: i64 = 200;

/// Names that stand in paths of the API for something else.
const RESERVED: [&str; 3] = ["assign", "unassign", "permissions"];

/// A role.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name, which is also its id.
    pub role: String,
    /// For people who assign it.
    pub description: String,
    /// Whether it is one of those that are always there.
    pub built_in: bool,
    /// What it allows.
    pub permissions: PermissionSet,
    /// Rises with every change; 1 for a built-in one.
    pub version: i64,
    /// When it was made; a built-in one never was.
    pub created_at: Option<Instant>,
    /// When it last changed.
    pub updated_at: Option<Instant>,
}

impl From<BuiltInRole> for Role {
    fn from(role: BuiltInRole) -> Self {
        Self {
            role: role.as_str().to_owned(),
            description: role.description().to_owned(),
            built_in: true,
            permissions: role.permissions(),
            version: 1,
            created_at: None,
            updated_at: None,
        }
    }
}

impl FromRow for Role {
    fn from_row(row: &mut Row) -> Result<Self, vivesphere_db::Error> {
        Ok(Self {
            role: row.text(0)?,
            description: row.text(1)?,
            built_in: false,
            permissions: read(row.get(2)?),
            version: row.get(3)?,
            created_at: Some(Instant::from_unix_millis(row.get(4)?)),
            updated_at: Some(Instant::from_unix_millis(row.get(5)?)),
        })
    }
}

const COLUMNS: &str = "role, description, permissions, version, created_at, updated_at";

/// What a role is made of, or changed to: `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct RoleChange {
    /// At most 200 characters.
    pub description: Option<String>,
    /// Names from the closed list.
    pub permissions: Option<Vec<String>>,
}

impl RoleChange {
    /// What is asked for, checked.
    fn parse(&self) -> Result<(Option<&str>, Option<PermissionSet>), Error> {
        if let Some(description) = &self.description
            && (description.chars().count() > 200 || description.chars().any(char::is_control))
        {
            return Err(Error::invalid(
                "/description",
                "must be at most 200 printable characters",
            ));
        }
        let permissions = self
            .permissions
            .as_ref()
            .map(|names| parse_permissions("/permissions", names))
            .transpose()?;
        Ok((self.description.as_deref(), permissions))
    }
}

/// Names from the closed list as a set.
///
/// # Errors
/// [`Error::Invalid`] with the pointer of each that is on no list.
pub fn parse_permissions(pointer: &str, names: &[String]) -> Result<PermissionSet, Error> {
    let mut set = PermissionSet::EMPTY;
    let mut errors = Vec::new();
    for (position, name) in names.iter().enumerate() {
        match Permission::parse(name) {
            Ok(permission) => set = set.with(permission),
            Err(_) => errors.push(crate::FieldError {
                pointer: format!("{pointer}/{position}"),
                detail: "is not a permission: see GET /api/v1/roles/permissions".to_owned(),
            }),
        }
    }
    if errors.is_empty() {
        Ok(set)
    } else {
        Err(Error::Invalid(errors))
    }
}

/// Whether this can be the name of a role that is made here.
fn is_name(name: &str) -> bool {
    (2..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
        && !RESERVED.contains(&name)
}

fn built_in_refused() -> Error {
    Error::conflict(
        "built_in_role",
        "This role is built in: make another one instead.",
    )
}

/// A role by name.
///
/// # Errors
/// [`Error::NotFound`]; storage.
pub async fn get(db: &Database, role: &str) -> Result<Role, Error> {
    if let Ok(role) = BuiltInRole::parse(role) {
        return Ok(role.into());
    }
    db.query_optional(
        &format!("SELECT {COLUMNS} FROM roles WHERE role = ?"),
        params![role],
    )
    .await?
    .ok_or(Error::NotFound)
}

/// Roles by name, the built-in ones among them. The cursor is a name.
///
/// # Errors
/// [`Error::Invalid`]; storage.
pub async fn list(
    db: &Database,
    limit: Option<u32>,
    cursor: Option<&str>,
) -> Result<Listed<Role>, Error> {
    let page = Page::parse(limit, None)?;
    if let Some(cursor) = cursor
        && !is_name(cursor)
    {
        return Err(Error::invalid(
            "/cursor",
            "is not a cursor that a list gave",
        ));
    }
    let after = cursor.unwrap_or_default();
    let made: Vec<Role> = db
        .query(
            &format!("SELECT {COLUMNS} FROM roles WHERE role > ? ORDER BY role LIMIT ?"),
            params![after, page.rows()],
        )
        .await?;
    let mut roles: Vec<Role> = BuiltInRole::ALL.into_iter().map(Role::from).collect();
    roles.retain(|role| role.role.as_str() > after);
    roles.extend(made);
    roles.sort_by(|one, other| one.role.cmp(&other.role));
    Ok(page.cut(roles, |role: &Role| &role.role))
}

/// Makes a role.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] when it would allow what the principal may not do;
/// [`Error::Conflict`] `role_taken` or `too_many_roles`; storage.
pub async fn create(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    role: &str,
    new: &RoleChange,
) -> Result<Role, Error> {
    if !is_name(role) && BuiltInRole::parse(role).is_err() {
        return Err(Error::invalid(
            "/role",
            "must be 2 to 64 letters from a to z, digits, - or _, begin with a letter, and be \
             none of assign, unassign, permissions",
        ));
    }
    let (description, permissions) = new.parse()?;
    let permissions = permissions.unwrap_or_default();
    let transaction = db.transaction().await?;
    authority::require_within(&transaction, principal, permissions).await?;
    if exists(&transaction, role).await? {
        return Err(Error::conflict(
            "role_taken",
            "There is a role with this name.",
        ));
    }
    let count: Option<i64> = transaction
        .query_optional("SELECT count(*) FROM roles", [])
        .await?;
    if count.unwrap_or(MADE) >= MADE {
        return Err(Error::conflict(
            "too_many_roles",
            format!("There can be {MADE} roles: delete one first."),
        ));
    }
    transaction
        .execute(
            "INSERT INTO roles (role, description, permissions, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?4)",
            params![
                role,
                description.unwrap_or_default(),
                written(permissions),
                Instant::now().unix_millis()
            ],
        )
        .await?;
    let detail = json!({"permissions": permissions});
    audit::record(&transaction, actor, "role.created", role, &detail).await?;
    transaction.commit().await?;
    get(db, role).await
}

async fn exists(transaction: &Transaction, role: &str) -> Result<bool, Error> {
    Ok(authority::permissions_of_role(transaction, role)
        .await?
        .is_some())
}

async fn get_in(transaction: &Transaction, role: &str) -> Result<Role, Error> {
    transaction
        .query_optional(
            &format!("SELECT {COLUMNS} FROM roles WHERE role = ?"),
            params![role],
        )
        .await?
        .ok_or(Error::NotFound)
}

/// Changes a role that was made here, with effect from the next request of everyone who has it.
/// What is as it was is no change.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::StaleVersion`]; [`Error::Forbidden`] when it
/// allows, or would, what the principal may not do; [`Error::Conflict`] `built_in_role`; storage.
pub async fn update(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    role: &str,
    expected_version: Option<i64>,
    change: &RoleChange,
) -> Result<Role, Error> {
    let (description, permissions) = change.parse()?;
    if BuiltInRole::parse(role).is_ok() {
        return Err(built_in_refused());
    }
    let transaction = db.transaction().await?;
    let current = get_in(&transaction, role).await?;
    if expected_version.is_some_and(|expected| expected != current.version) {
        return Err(Error::StaleVersion {
            current: current.version,
        });
    }
    let wanted = permissions.unwrap_or(current.permissions);
    let reached = current.permissions.union(wanted);
    authority::require_within(&transaction, principal, reached).await?;
    let described = description.unwrap_or(&current.description);
    if wanted == current.permissions && described == current.description {
        return Ok(current);
    }
    transaction
        .execute(
            "UPDATE roles SET description = ?2, permissions = ?3, version = version + 1,
                updated_at = ?4 WHERE role = ?1",
            params![
                role,
                described,
                written(wanted),
                Instant::now().unix_millis()
            ],
        )
        .await?;
    let detail = json!({
        "added": difference(wanted, current.permissions),
        "removed": difference(current.permissions, wanted),
    });
    audit::record(&transaction, actor, "role.changed", role, &detail).await?;
    transaction.commit().await?;
    get(db, role).await
}

fn difference(one: PermissionSet, other: PermissionSet) -> PermissionSet {
    one.iter()
        .filter(|permission| !other.contains(*permission))
        .collect()
}

/// Deletes a role that nobody has any more.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`]; [`Error::Conflict`] `built_in_role` or
/// `role_in_use`; storage.
pub async fn delete(
    db: &Database,
    actor: &Actor,
    principal: &Principal,
    role: &str,
    expected_version: Option<i64>,
) -> Result<(), Error> {
    if BuiltInRole::parse(role).is_ok() {
        return Err(built_in_refused());
    }
    let transaction = db.transaction().await?;
    let current = get_in(&transaction, role).await?;
    if expected_version.is_some_and(|expected| expected != current.version) {
        return Err(Error::StaleVersion {
            current: current.version,
        });
    }
    authority::require_within(&transaction, principal, current.permissions).await?;
    let holders: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM user_roles WHERE role = ?",
            params![role],
        )
        .await?;
    if holders != Some(0) {
        return Err(Error::conflict(
            "role_in_use",
            "Users have this role: take it from them first.",
        ));
    }
    transaction
        .execute("DELETE FROM roles WHERE role = ?", params![role])
        .await?;
    let detail = json!({"permissions": current.permissions});
    audit::record(&transaction, actor, "role.deleted", role, &detail).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_roles() {
        for name in ["ab", "content-team", "a_2"] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(65);
        for name in [
            "",
            "a",
            "2a",
            "-a",
            "Admin",
            "two words",
            "ä-b",
            "assign",
            "permissions",
            &long,
        ] {
            assert!(!is_name(name), "{name}");
        }
        // What is built in stands in lists, so it has to be a cursor too.
        for role in BuiltInRole::ALL {
            assert!(is_name(role.as_str()));
        }
    }

    proptest! {
        #[test]
        fn each_unknown_permission_is_pointed_at(
            names in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(Permission::ALL).prop_map(|one| one.as_str().to_owned()),
                    "[a-z:]{0,10}",
                ],
                0..8,
            ),
        ) {
            let unknown: Vec<String> = names
                .iter()
                .enumerate()
                .filter(|(_, name)| Permission::parse(name).is_err())
                .map(|(position, _)| format!("/permissions/{position}"))
                .collect();
            match parse_permissions("/permissions", &names) {
                Ok(set) => {
                    prop_assert!(unknown.is_empty());
                    prop_assert!(names.iter().all(|name| set.names().contains(&name.as_str())));
                }
                Err(Error::Invalid(errors)) => {
                    let pointers: Vec<String> =
                        errors.into_iter().map(|error| error.pointer).collect();
                    prop_assert_eq!(pointers, unknown);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
