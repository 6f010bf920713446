//! Settings: extract → parse → domain → wire.

use vivesphere_domain::Error;
use vivesphere_domain::settings::{self, Version};
use vivesphere_http::{Context, List, Problem, Reply};
use vivesphere_settings::{Settings, Source};

use crate::wire;

const BASE: &str = "/settings_data/settings";

/// What holds for a service in one version: not from this instance's memory, for whoever has
/// changed something looks whether it has.
async fn body(version: &Version) -> Result<wire::ServiceSettings, Problem> {
    let known = Settings::of(version);
    let mut body = wire::ServiceSettings {
        service_name: "",
        version: version.version,
        settings: Default::default(),
        sources: Default::default(),
        updated_at: version.changed_at,
        updated_by: wire::Principal::of(version),
    };
    for setting in settings::of_service(&version.service) {
        let (value, source) = known.value(setting).await?;
        body.service_name = setting.service;
        if !setting.secret {
            body.settings.insert(setting.name, value.to_json());
        }
        let source = match source {
            Source::Set => wire::Source::Set,
            Source::Variable => wire::Source::Variable,
            Source::Default => wire::Source::Default,
        };
        body.sources.insert(setting.name, source);
    }
    Ok(body)
}

pub(crate) async fn settings(context: Context) -> Result<Reply, Problem> {
    let query: wire::ServiceQuery = context.query()?;
    if let Some(service) = query.service_name {
        let version = settings::current(&context.db, &service).await?;
        let body = body(&version).await?;
        return Reply::ok(&wire::SettingsBody::One(body));
    }
    let mut items = Vec::new();
    for service in settings::services() {
        items.push(body(&settings::current(&context.db, service).await?).await?);
    }
    Reply::ok(&wire::SettingsBody::All(List::whole(items)))
}

/// The version that the change was made on: `version` in the body, or `If-Match`. Where both are
/// there, both are meant.
fn expected(
    context: &Context,
    pointer: &str,
    version: Option<i64>,
) -> Result<Option<i64>, Problem> {
    let condition = context.if_match()?;
    if version.is_some() && condition.is_some() && version != condition {
        let detail = "is another version than `If-Match` names".to_owned();
        return Err(Error::invalid(pointer, detail).into());
    }
    Ok(version.or(condition))
}

/// In a body an unknown service is a wrong value, not a missing thing.
fn in_body(error: Error, pointer: &str) -> Error {
    match error {
        Error::NotFound => Error::invalid(pointer, "is no service that has settings"),
        error => error,
    }
}

pub(crate) async fn update(context: Context) -> Result<Reply, Problem> {
    let request: wire::UpdateRequest = context.json()?;
    let data = request.settings_data.0;
    let expected = expected(&context, "/settings_data/version", data.version)?;
    let version = settings::update(
        &context.db,
        &context.actor()?,
        &data.service_name,
        expected,
        &data.settings,
        BASE,
    )
    .await
    .map_err(|error| in_body(error, "/settings_data/service_name"))?;
    Reply::ok(&body(&version).await?)
}

pub(crate) async fn history(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::HistoryQuery>()?;
    let page = page.by_id()?;
    let listed = settings::history(&context.db, &query.service_name, &page).await?;
    Reply::ok(&List::<wire::VersionBody>::of(listed))
}

pub(crate) async fn diff(context: Context) -> Result<Reply, Problem> {
    let query: wire::DiffQuery = context.query()?;
    let service = &query.service_name;
    let from = settings::at_version(&context.db, service, query.from).await?;
    let to = settings::at_version(&context.db, service, query.to).await?;
    let changes = settings::changes(service, &from.settings, &to.settings);
    Reply::ok(&wire::Diff {
        from: from.version,
        to: to.version,
        changes: changes.into_iter().map(wire::ChangeBody::from).collect(),
        service_name: query.service_name,
    })
}

pub(crate) async fn roll_back(context: Context) -> Result<Reply, Problem> {
    let request: wire::RollbackRequest = context.json()?;
    let expected = expected(&context, "/version", request.version)?;
    let (db, service) = (&context.db, &request.service_name);
    settings::current(db, service)
        .await
        .map_err(|error| in_body(error, "/service_name"))?;
    let actor = context.actor()?;
    let version = settings::roll_back(db, &actor, service, expected, request.to_version)
        .await
        .map_err(|error| match error {
            Error::NotFound => Error::invalid("/to_version", "is no version of this service"),
            error => error,
        })?;
    Reply::ok(&body(&version).await?)
}

pub(crate) async fn schema(context: Context) -> Result<Reply, Problem> {
    let query: wire::ServiceQuery = context.query()?;
    let mut services = settings::services();
    if let Some(wanted) = query.service_name {
        services.retain(|service| *service == wanted);
        if services.is_empty() {
            return Err(Problem::not_found());
        }
    }
    let items = services
        .into_iter()
        .map(|service| wire::ServiceSchema {
            service_name: service,
            settings: settings::of_service(service)
                .map(wire::SettingSchema::from)
                .collect(),
        })
        .collect();
    Reply::ok(&List::whole(items))
}
