//! The JSON of this component.

use serde::{Deserialize, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::roles::{Assigned, Role};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    pub(crate) permissions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolePatch {
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) permissions: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    pub(crate) user_id: String,
    pub(crate) role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    #[serde(default)]
    pub(crate) limit: Option<u32>,
    /// The name of a role.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct RoleBody {
    role: String,
    description: String,
    built_in: bool,
    permissions: Vec<&'static str>,
    version: i64,
    created_at: Option<Instant>,
    updated_at: Option<Instant>,
}

impl From<Role> for RoleBody {
    fn from(role: Role) -> Self {
        Self {
            role: role.role,
            description: role.description,
            built_in: role.built_in,
            permissions: role.permissions.names(),
            version: role.version,
            created_at: role.created_at,
            updated_at: role.updated_at,
        }
    }
}

/// What a user has after a change.
#[derive(Serialize)]
pub(crate) struct AssignedBody {
    user_id: String,
    roles: Vec<String>,
    permissions: Vec<&'static str>,
    version: i64,
}

impl From<Assigned> for AssignedBody {
    fn from(assigned: Assigned) -> Self {
        Self {
            user_id: assigned.user_id,
            roles: assigned.roles,
            permissions: assigned.permissions.names(),
            version: assigned.version,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct PermissionBody {
    pub(crate) permission: &'static str,
    pub(crate) description: &'static str,
    /// The built-in roles that allow it.
    pub(crate) roles: Vec<&'static str>,
}

#[derive(Serialize)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}
