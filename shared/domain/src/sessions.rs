//! Sessions: families of refresh tokens, and the principals behind access tokens.

use vivesphere_db::{Database, Error, Row, params};

use crate::permissions::{BuiltInRole, PermissionSet};
use crate::{Instant, Principal, PrincipalKind};

/// The principal of a session, with the roles it has now. `None` when the session has ended or
/// its user is disabled or gone.
///
/// # Errors
/// Any storage error.
pub async fn principal(
    db: &Database,
    session_id: &str,
    user_id: &str,
    now: Instant,
) -> Result<Option<Principal>, Error> {
    let row: Option<Row> = db
        .query_optional(
            "SELECT u.username,
                (SELECT group_concat(role, ' ') FROM user_roles r WHERE r.user_id = u.user_id)
             FROM sessions s JOIN users u ON u.user_id = s.user_id
             WHERE s.session_id = ? AND s.user_id = ? AND s.revoked_at IS NULL
                AND s.expires_at > ? AND u.disabled_at IS NULL",
            params![session_id, user_id, now.unix_millis()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let roles: Vec<String> = row
        .text_optional(1)?
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    Ok(Some(Principal {
        kind: PrincipalKind::User,
        id: user_id.to_owned(),
        username: row.text(0)?,
        permissions: permissions_of(&roles),
        roles,
        session_id: session_id.to_owned(),
    }))
}

/// What the roles allow together. A name that is no role (any more) allows nothing.
#[must_use]
pub fn permissions_of(roles: &[String]) -> PermissionSet {
    roles
        .iter()
        .filter_map(|role| BuiltInRole::parse(role).ok())
        .fold(PermissionSet::default(), |set, role| {
            set.union(role.permissions())
        })
}
