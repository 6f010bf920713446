//! What roles allow, and how far one may go with those of others. Everything here that decides
//! takes a transaction: it is decided under the write lock, so that two at once cannot both be
//! right.

use vivesphere_db::{Row, Transaction, params};

use crate::permissions::{BuiltInRole, Permission, PermissionSet};
use crate::{Error, Principal};

/// What a user's roles allow together: the built-in ones by name, the others by the permissions
/// that their rows list. A name that is no role or no permission (any more) allows nothing.
#[must_use]
pub fn permissions_of(roles: &[String], listed: &str) -> PermissionSet {
    let built_in = roles
        .iter()
        .filter_map(|role| BuiltInRole::parse(role).ok())
        .fold(PermissionSet::EMPTY, |set, role| {
            set.union(role.permissions())
        });
    built_in.union(read(listed))
}

/// Permissions as rows list them: names, separated by spaces.
pub(crate) fn read(listed: &str) -> PermissionSet {
    listed
        .split_whitespace()
        .filter_map(|name| Permission::parse(name).ok())
        .collect()
}

/// The other way.
pub(crate) fn written(permissions: PermissionSet) -> String {
    permissions.names().join(" ")
}

/// What a role allows; nothing when there is no such role.
pub(super) async fn permissions_of_role(
    transaction: &Transaction,
    role: &str,
) -> Result<Option<PermissionSet>, Error> {
    if let Ok(role) = BuiltInRole::parse(role) {
        return Ok(Some(role.permissions()));
    }
    let listed: Option<String> = transaction
        .query_optional(
            "SELECT permissions FROM roles WHERE role = ?",
            params![role],
        )
        .await?;
    Ok(listed.map(|listed| read(&listed)))
}

/// What a user may do now; nothing for one that is not there.
pub(crate) async fn permissions_of_user(
    transaction: &Transaction,
    user_id: &str,
) -> Result<PermissionSet, Error> {
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT (SELECT group_concat(role, ' ') FROM user_roles WHERE user_id = ?1),
                (SELECT group_concat(d.permissions, ' ') FROM user_roles r
                    JOIN roles d ON d.role = r.role WHERE r.user_id = ?1)",
            params![user_id],
        )
        .await?;
    let Some(row) = row else {
        return Ok(PermissionSet::EMPTY);
    };
    let roles: Vec<String> = row
        .text_optional(0)?
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let listed = row.text_optional(1)?.unwrap_or_default();
    Ok(permissions_of(&roles, &listed))
}

/// What the principal may do at this moment: what it could when the request came in, as far as
/// its user still may.
async fn permissions_now(
    transaction: &Transaction,
    principal: &Principal,
) -> Result<PermissionSet, Error> {
    let of_user = permissions_of_user(transaction, &principal.id).await?;
    Ok(principal.permissions.intersection(of_user))
}

/// Refuses to touch what goes beyond the principal's own permissions: nobody gives, takes or
/// manages what they do not have.
pub(crate) async fn require_within(
    transaction: &Transaction,
    principal: &Principal,
    wanted: PermissionSet,
) -> Result<(), Error> {
    let own = permissions_now(transaction, principal).await?;
    let missing = wanted.iter().find(|permission| !own.contains(*permission));
    match missing {
        None => Ok(()),
        Some(permission) => Err(Error::Forbidden(format!(
            "This reaches the permission `{permission}`, which you do not have yourself."
        ))),
    }
}

/// Refuses to manage a user who may do more than the principal: whoever could set an
/// administrator's password would be one.
pub(crate) async fn require_over(
    transaction: &Transaction,
    principal: &Principal,
    user_id: &str,
) -> Result<(), Error> {
    let theirs = permissions_of_user(transaction, user_id).await?;
    require_within(transaction, principal, theirs).await
}

/// Refuses a change after which nobody could administrate any more. Asked after the change, in
/// its transaction, which is then not to be committed.
pub(crate) async fn keep_an_admin(transaction: &Transaction) -> Result<(), Error> {
    let admins: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM user_roles r JOIN users u ON u.user_id = r.user_id
             WHERE r.role = 'admin' AND u.disabled_at IS NULL",
            [],
        )
        .await?;
    if admins == Some(0) {
        return Err(Error::conflict(
            "last_admin",
            "Nobody could administrate any more: make another admin first.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_set() -> impl Strategy<Value = PermissionSet> {
        prop::collection::vec(prop::sample::select(Permission::ALL), 0..12)
            .prop_map(|permissions| permissions.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(permissions in any_set()) {
            prop_assert_eq!(read(&written(permissions)), permissions);
        }

        #[test]
        fn roles_add_up_and_unknown_names_allow_nothing(
            listed in any_set(),
            roles in prop::collection::vec(prop::sample::select(&BuiltInRole::ALL[..]), 0..3),
            other in "[a-z_]{1,8}:[a-z_]{1,8}x",
        ) {
            let mut names: Vec<String> = roles.iter().map(|role| role.as_str().to_owned()).collect();
            names.push("no-such-role".to_owned());
            let mut wanted = listed;
            for role in &roles {
                wanted = wanted.union(role.permissions());
            }
            let listed = format!("{} {other}", written(listed));
            prop_assume!(Permission::parse(&other).is_err());
            prop_assert_eq!(permissions_of(&names, &listed), wanted);
        }
    }
}
