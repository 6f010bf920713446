//! Extract → parse → domain → wire.

use vivesphere_domain::permissions::{BuiltInRole, Permission};
use vivesphere_domain::roles::{self, Role, RoleChange};
use vivesphere_domain::{Error, parse_id};
use vivesphere_http::{Context, List, NoFilter, Problem, Reply};

use crate::wire;

fn reply(role: Role) -> Result<Reply, Problem> {
    Reply::ok(&wire::RoleBody::from(role))
}

/// The closed list, whole: it is a page of its own, whatever limit is asked for.
pub(crate) async fn permissions(_context: Context) -> Result<Reply, Problem> {
    let items = Permission::ALL
        .iter()
        .map(|permission| wire::PermissionBody {
            permission: permission.as_str(),
            description: permission.description(),
            roles: BuiltInRole::ALL
                .into_iter()
                .filter(|role| role.permissions().contains(*permission))
                .map(BuiltInRole::as_str)
                .collect(),
        })
        .collect();
    Reply::ok(&List::whole(items))
}

pub(crate) async fn assign(context: Context) -> Result<Reply, Problem> {
    let body: wire::Assignment = context.json()?;
    let user_id = user_id(&body)?;
    let (actor, principal) = (context.actor()?, context.principal()?);
    let assigned = roles::assign(&context.db, &actor, principal, &user_id, &body.role).await?;
    Reply::ok(&wire::AssignedBody::from(assigned))
}

pub(crate) async fn unassign(context: Context) -> Result<Reply, Problem> {
    let body: wire::Assignment = context.json()?;
    let user_id = user_id(&body)?;
    let (actor, principal) = (context.actor()?, context.principal()?);
    let assigned = roles::unassign(&context.db, &actor, principal, &user_id, &body.role).await?;
    Reply::ok(&wire::AssignedBody::from(assigned))
}

fn user_id(body: &wire::Assignment) -> Result<String, Problem> {
    parse_id(&body.user_id).ok_or_else(|| Error::invalid("/user_id", "is not an id").into())
}

pub(crate) async fn create(context: Context) -> Result<Reply, Problem> {
    let new: wire::NewRole = context.json()?;
    let (actor, principal) = (context.actor()?, context.principal()?);
    let change = RoleChange {
        description: new.description,
        permissions: Some(new.permissions),
    };
    let role = roles::create(&context.db, &actor, principal, &new.role, &change).await?;
    Reply::created(&wire::RoleBody::from(role))
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (NoFilter {}, page) = context.paged()?;
    let listed = roles::list(&context.db, page.limit, page.cursor.as_deref()).await?;
    Reply::ok(&List::<wire::RoleBody>::of(listed))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    reply(roles::get(&context.db, context.parameter("role")).await?)
}

pub(crate) async fn update(context: Context) -> Result<Reply, Problem> {
    let patch: wire::RolePatch = context.json()?;
    let change = RoleChange {
        description: patch.description,
        permissions: patch.permissions,
    };
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (role, expected) = (context.parameter("role"), context.if_match()?);
    reply(roles::update(&context.db, &actor, principal, role, expected, &change).await?)
}

pub(crate) async fn delete(context: Context) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    let (role, expected) = (context.parameter("role"), context.if_match()?);
    roles::delete(&context.db, &actor, principal, role, expected).await?;
    Ok(Reply::no_content())
}
