//! Personas: extract → parse → domain → wire.

use vivesphere_domain::personas::{self, Assignment, Persona};
use vivesphere_domain::weighted_length::DEFAULT_MAX;
use vivesphere_http::{Context, HeaderValue, List, NoFilter, Problem, Reply, StatusCode, header};

use crate::wire::{ExportFormat, PersonaDocument};
use crate::{wire, yaml};

fn reply(persona: Persona) -> Result<Reply, Problem> {
    Reply::ok(&wire::PersonaBody::from(persona))
}

async fn make(context: &Context, document: PersonaDocument) -> Result<Reply, Problem> {
    let (actor, principal) = (context.actor()?, context.principal()?);
    let persona = personas::create(&context.db, &actor, principal, document.into()).await?;
    Reply::created(&wire::PersonaBody::from(persona))
}

pub(crate) async fn create(context: Context) -> Result<Reply, Problem> {
    let document = context.json()?;
    make(&context, document).await
}

pub(crate) async fn import(context: Context) -> Result<Reply, Problem> {
    // RFC 9512, and what was in use before it.
    let is_yaml = ["application/yaml", "application/x-yaml", "text/yaml"]
        .iter()
        .any(|kind| context.content_type_is(kind));
    let document = if is_yaml {
        yaml::read(context.body())?
    } else if context.content_type_is("application/json") {
        context.json()?
    } else {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send JSON, with `content-type: application/json`, or YAML, with `application/yaml`.",
        ));
    };
    make(&context, document).await
}

pub(crate) async fn export(context: Context) -> Result<Reply, Problem> {
    let query: wire::ExportQuery = context.query()?;
    let persona_id = context.id("persona_id")?;
    let persona = personas::get(&context.db, context.principal()?, &persona_id).await?;
    let document = PersonaDocument::from(persona.fields);
    let (reply, extension) = match query.format.unwrap_or_default() {
        ExportFormat::Json => (Reply::ok(&document)?, "json"),
        ExportFormat::Yaml => {
            let text = yaml::write(&document);
            (Reply::new(StatusCode::OK, "application/yaml", text), "yaml")
        }
    };
    let name = format!("attachment; filename=\"persona-{persona_id}.{extension}\"");
    let name = HeaderValue::try_from(name).map_err(Problem::internal)?;
    Ok(reply.header(header::CONTENT_DISPOSITION, name))
}

pub(crate) async fn list(context: Context) -> Result<Reply, Problem> {
    let (query, page) = context.paged::<wire::PersonaQuery>()?;
    let page = page.by_id()?;
    let principal = context.principal()?;
    let listed = personas::list(&context.db, principal, &query.into(), &page).await?;
    Reply::ok(&List::<wire::PersonaBody>::of(listed))
}

pub(crate) async fn get(context: Context) -> Result<Reply, Problem> {
    reply(
        personas::get(
            &context.db,
            context.principal()?,
            &context.id("persona_id")?,
        )
        .await?,
    )
}

pub(crate) async fn update(context: Context) -> Result<Reply, Problem> {
    let patch: wire::PersonaPatch = context.json()?;
    let (persona_id, expected) = (context.id("persona_id")?, context.if_match()?);
    let (actor, principal) = (context.actor()?, context.principal()?);
    let change = patch.into();
    reply(
        personas::update(
            &context.db,
            &actor,
            principal,
            &persona_id,
            expected,
            &change,
        )
        .await?,
    )
}

pub(crate) async fn delete(context: Context) -> Result<Reply, Problem> {
    let (persona_id, expected) = (context.id("persona_id")?, context.if_match()?);
    let (actor, principal) = (context.actor()?, context.principal()?);
    personas::delete(&context.db, &actor, principal, &persona_id, expected).await?;
    Ok(Reply::no_content())
}

pub(crate) async fn versions(context: Context) -> Result<Reply, Problem> {
    let (NoFilter {}, page) = context.paged()?;
    let persona_id = context.id("persona_id")?;
    let (principal, cursor) = (context.principal()?, page.cursor.as_deref());
    let listed =
        personas::versions(&context.db, principal, &persona_id, page.limit, cursor).await?;
    Reply::ok(&List::<wire::PersonaVersionBody>::of(listed))
}

pub(crate) async fn version(context: Context) -> Result<Reply, Problem> {
    let persona_id = context.id("persona_id")?;
    let number = context.parameter("version").parse();
    let number: i64 = number.map_err(|_| Problem::not_found())?;
    let found = personas::version(&context.db, context.principal()?, &persona_id, number).await?;
    Reply::ok(&wire::PersonaVersionBody::from(found))
}

pub(crate) async fn preview(context: Context) -> Result<Reply, Problem> {
    let request: wire::PreviewRequest = context.json_or_default()?;
    let assignment = Assignment {
        task: request.task,
        topic: request.topic,
    }
    .checked()?;
    let persona_id = context.id("persona_id")?;
    let persona = personas::get(&context.db, context.principal()?, &persona_id).await?;
    let fields = persona.fields;
    Reply::ok(&wire::Preview {
        prompt: personas::prompt(&fields, &assignment),
        rules: personas::rules(&fields)
            .into_iter()
            .map(wire::PreviewRule::from)
            .collect(),
        persona_id: persona.persona_id,
        version: persona.version,
        language: fields.language,
        region: fields.region,
        banned_terms: fields.banned_terms,
        disclosure: fields.disclosure,
        max_weighted_length: DEFAULT_MAX,
    })
}
