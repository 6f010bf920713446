//! What the gateway's settings ask of one request.

use std::cell::RefCell;
use std::rc::Rc;

use vivesphere_config::Misconfigured;
use vivesphere_db::Database;
use vivesphere_domain::settings::Network;
use vivesphere_domain::settings::table::gateway as setting;
use vivesphere_settings::Settings;

use crate::cors::Cors;
use crate::{Problem, RouteClass};

/// Probes come from few addresses and cost nothing; they are never fewer than these.
const PROBES_PER_MINUTE: i64 = 600;

/// What the settings ask for as long as they hold.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) cors: Cors,
    pub(crate) compression: bool,
    pub(crate) body_limit: usize,
    /// Whose word on a client's address is taken.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Nothing where requests are not counted.
    limits: Option<Limits>,
}

/// Requests that a client may make in a minute.
#[derive(Debug)]
struct Limits {
    read: i64,
    write: i64,
    sign_in: i64,
}

thread_local! {
    // True for everyone: the policy, and the settings that it was made of.
    static KNOWN: RefCell<Option<(Settings, Rc<Policy>)>> = const { RefCell::new(None) };
}

impl Policy {
    /// The policy that holds now.
    pub(crate) async fn read(db: &Database) -> Result<Rc<Self>, Problem> {
        let settings = vivesphere_settings::current(db).await?;
        let known = KNOWN.with_borrow(|known| {
            let (made_of, policy) = known.as_ref()?;
            made_of.are(&settings).then(|| policy.clone())
        });
        if let Some(policy) = known {
            return Ok(policy);
        }
        let policy = Rc::new(Self::of(&settings).await?);
        KNOWN.set(Some((settings, policy.clone())));
        Ok(policy)
    }

    async fn of(settings: &Settings) -> Result<Self, Misconfigured> {
        let body_limit = settings.integer(&setting::BODY_LIMIT_BYTES).await?;
        let limits = match settings.boolean(&setting::RATE_LIMIT_ENABLED).await? {
            false => None,
            true => Some(Limits {
                read: settings.integer(&setting::RATE_LIMIT_PER_MINUTE).await?,
                write: settings
                    .integer(&setting::WRITE_RATE_LIMIT_PER_MINUTE)
                    .await?,
                sign_in: settings
                    .integer(&setting::SIGN_IN_RATE_LIMIT_PER_MINUTE)
                    .await?,
            }),
        };
        Ok(Self {
            cors: Cors {
                origins: settings.origins(&setting::CORS_ALLOWED_ORIGINS).await?,
                credentials: settings.boolean(&setting::CORS_ALLOW_CREDENTIALS).await?,
            },
            compression: settings.boolean(&setting::COMPRESSION).await?,
            body_limit: usize::try_from(body_limit).unwrap_or(usize::MAX),
            trusted_proxies: settings.networks(&setting::TRUSTED_PROXIES).await?,
            limits,
        })
    }

    /// Requests that a client may make in a minute; nothing where they are not counted.
    pub(crate) fn per_minute(&self, class: RouteClass) -> Option<i64> {
        self.limits.as_ref().map(|limits| match class {
            RouteClass::Read => limits.read,
            RouteClass::Write => limits.write,
            RouteClass::SignIn => limits.sign_in,
            RouteClass::Probe => limits.read.max(PROBES_PER_MINUTE),
        })
    }
}
