//! The JSON of this component.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vivesphere_domain::Instant;
use vivesphere_domain::permissions::Permission;
use vivesphere_domain::roles::{Assigned, Role};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[schemars(with = "Vec<Permission>")]
    pub(crate) permissions: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolePatch {
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    #[schemars(with = "Option<Vec<Permission>>")]
    pub(crate) permissions: Option<Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    #[schemars(extend("format" = "uuid"))]
    pub(crate) user_id: String,
    pub(crate) role: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RoleBody {
    role: String,
    description: String,
    built_in: bool,
    #[schemars(with = "Vec<Permission>")]
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
#[derive(Serialize, JsonSchema)]
pub(crate) struct AssignedBody {
    #[schemars(extend("format" = "uuid"))]
    user_id: String,
    roles: Vec<String>,
    #[schemars(with = "Vec<Permission>")]
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

#[derive(Serialize, JsonSchema)]
pub(crate) struct PermissionBody {
    #[schemars(with = "Permission")]
    pub(crate) permission: &'static str,
    pub(crate) description: &'static str,
    /// The built-in roles that allow it.
    pub(crate) roles: Vec<&'static str>,
}
