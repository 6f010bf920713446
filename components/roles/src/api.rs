//! What this component's routes take and give, for the API's description.

use vivesphere_api::Api;
use vivesphere_http::{List, NoFilter};

use crate::{ROUTES, wire};

const LAST_ADMIN: &str = "Nobody could administrate any more.";
const BUILT_IN: &str = "This role is built in: it stays as it is.";

/// The component's description.
#[must_use]
pub fn describe() -> Api {
    let mut api = Api::new(
        "roles",
        "Roles: what people may do, and who has which.",
        ROUTES,
    );
    api.get(
        "/api/v1/roles/permissions",
        "List every permission there is",
    )
    .text("The closed list, whole: it is one page.")
    .gives::<List<wire::PermissionBody>>();
    api.post("/api/v1/roles/assign", "Give a user a role")
        .text("Nobody can give what they may not do themselves.")
        .json::<wire::Assignment>()
        .gives::<wire::AssignedBody>()
        .not_found();
    api.post("/api/v1/roles/unassign", "Take a role from a user")
        .json::<wire::Assignment>()
        .gives::<wire::AssignedBody>()
        .not_found()
        .conflict("last_admin", LAST_ADMIN);
    api.post("/api/v1/roles", "Make a role")
        .json::<wire::NewRole>()
        .creates::<wire::RoleBody>()
        .conflict("role_taken", "There is a role with this name.")
        .conflict(
            "too_many_roles",
            "There are as many roles as there can be: delete one first.",
        );
    api.get("/api/v1/roles", "List roles")
        .paged::<NoFilter>()
        .gives::<List<wire::RoleBody>>();
    api.get("/api/v1/roles/{role}", "See a role")
        .gives::<wire::RoleBody>();
    api.patch("/api/v1/roles/{role}", "Change a role")
        .text("Felt at once by everyone who has it.")
        .json::<wire::RolePatch>()
        .if_match()
        .gives::<wire::RoleBody>()
        .conflict("built_in_role", BUILT_IN);
    api.delete("/api/v1/roles/{role}", "Delete a role")
        .if_match()
        .gives_nothing()
        .conflict("built_in_role", BUILT_IN)
        .conflict(
            "role_in_use",
            "Users have this role: take it from them first.",
        );
    api
}
