//! What the gateway's settings ask of one request.

use vivesphere_config::Misconfigured;
use vivesphere_db::Database;
use vivesphere_domain::settings::table::gateway as setting;
use vivesphere_settings::Settings;

use crate::cors::Cors;
use crate::{Problem, RouteClass};

/// Probes come from few addresses and cost nothing; they are never fewer than these.
const PROBES_PER_MINUTE: i64 = 600;

/// The settings, read once a request.
pub(crate) struct Policy {
    settings: Settings,
    pub(crate) cors: Cors,
    pub(crate) compression: bool,
    pub(crate) body_limit: usize,
}

impl Policy {
    pub(crate) async fn read(db: &Database) -> Result<Self, Problem> {
        let settings = vivesphere_settings::current(db).await?;
        let body_limit = settings.integer(&setting::BODY_LIMIT_BYTES).await?;
        Ok(Self {
            cors: Cors {
                origins: settings.origins(&setting::CORS_ALLOWED_ORIGINS).await?,
                credentials: settings.boolean(&setting::CORS_ALLOW_CREDENTIALS).await?,
            },
            compression: settings.boolean(&setting::COMPRESSION).await?,
            body_limit: usize::try_from(body_limit).unwrap_or(usize::MAX),
            settings,
        })
    }

    /// Requests that a client may make in a minute; nothing where they are not counted.
    pub(crate) async fn per_minute(&self, class: RouteClass) -> Result<Option<i64>, Misconfigured> {
        if !self.settings.boolean(&setting::RATE_LIMIT_ENABLED).await? {
            return Ok(None);
        }
        let limit = match class {
            RouteClass::Read | RouteClass::Probe => &setting::RATE_LIMIT_PER_MINUTE,
            RouteClass::Write => &setting::WRITE_RATE_LIMIT_PER_MINUTE,
            RouteClass::SignIn => &setting::SIGN_IN_RATE_LIMIT_PER_MINUTE,
        };
        let limit = self.settings.integer(limit).await?;
        Ok(Some(match class {
            RouteClass::Probe => limit.max(PROBES_PER_MINUTE),
            _ => limit,
        }))
    }
}
