//! Who is asking. Authority is a parameter of every function that needs it.

use crate::Error;
use crate::permissions::{Permission, PermissionSet};

/// What kind of principal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person with a session.
    User,
    /// A program with an access key, in the place of the user who made the key.
    AccessKey,
    /// Another component, or the scheduler, with the service key.
    Service,
}

/// Who is asking, as the pipeline found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What it is.
    pub kind: PrincipalKind,
    /// The user's id, of an access key its owner's; `service` for the service key.
    pub id: String,
    /// The user's name.
    pub username: String,
    /// The user's roles, by name.
    pub roles: Vec<String>,
    /// What the roles allow, together; of an access key what its scopes leave of that.
    pub permissions: PermissionSet,
    /// The session of the access token; empty when there is none.
    pub session_id: String,
    /// The access key, if it is one that asks.
    pub access_key_id: Option<String>,
    /// The only bots that an access key may see, if it is restricted to some.
    pub bot_ids: Option<Vec<String>>,
    /// The change number of the bots when the principal was looked up: while it stands, the same
    /// principal reads the same of them.
    pub bots_change: i64,
}

/// How far a query may look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everyone's.
    All,
    /// One owner's.
    Owner(String),
}

impl Scope {
    /// As an SQL parameter for `(?1 IS NULL OR owner_id = ?1)`.
    #[must_use]
    pub fn owner(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Owner(owner) => Some(owner.clone()),
        }
    }
}

impl Principal {
    /// The principal behind the service key: it acts on what it is asked about, whoever owns it.
    #[must_use]
    pub fn service() -> Self {
        Self {
            kind: PrincipalKind::Service,
            id: "service".to_owned(),
            username: "service".to_owned(),
            roles: Vec::new(),
            permissions: PermissionSet::default(),
            session_id: String::new(),
            access_key_id: None,
            bot_ids: None,
            bots_change: 0,
        }
    }

    /// Whether this is the service key.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.kind == PrincipalKind::Service
    }

    /// Whether a person asks, and not a program in anybody's place.
    #[must_use]
    pub fn is_person(&self) -> bool {
        self.kind == PrincipalKind::User
    }

    /// Whether an access key asks.
    #[must_use]
    pub fn is_access_key(&self) -> bool {
        self.kind == PrincipalKind::AccessKey
    }

    /// Whether it is allowed.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(permission)
    }

    /// Everyone's with the wider permission, its own otherwise. What belongs to bots is held to
    /// [`Principal::bots`] besides.
    #[must_use]
    pub fn scope(&self, wider: Permission) -> Scope {
        if self.is_service() || self.may(wider) {
            Scope::All
        } else {
            Scope::Owner(self.id.clone())
        }
    }

    /// The only bots that may be seen, as an SQL parameter for
    /// `(?2 IS NULL OR bot_id IN (SELECT value FROM json_each(?2)))`. It stands beside the owner
    /// in every query for bots and what belongs to them.
    #[must_use]
    pub fn bots(&self) -> Option<String> {
        self.bot_ids
            .as_ref()
            .map(|ids| serde_json::Value::from(ids.as_slice()).to_string())
    }

    /// Refuses an access key that is restricted to some bots what tells of all of them.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_see_all_bots(&self) -> Result<(), Error> {
        match self.bot_ids {
            None => Ok(()),
            Some(_) => Err(Error::Forbidden(
                "This access key is restricted to some bots; this tells of all of them.".to_owned(),
            )),
        }
    }

    /// Who acts, as the audit trail and the log name it: the access key's id, else
    /// [`Principal::id`].
    #[must_use]
    pub fn actor_id(&self) -> &str {
        self.access_key_id.as_deref().unwrap_or(&self.id)
    }

    /// The audit trail's word for the kind.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            PrincipalKind::User => "user",
            PrincipalKind::AccessKey => "access_key",
            PrincipalKind::Service => "service",
        }
    }
}
