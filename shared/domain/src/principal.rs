//! Who is asking. Authority is a parameter of every function that needs it.

use crate::permissions::{Permission, PermissionSet};

/// What kind of principal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person with a session.
    User,
    /// Another component, or the scheduler, with the service key.
    Service,
}

/// Who is asking, as the pipeline found out.
#[derive(Debug, Clone)]
pub struct Principal {
    /// What it is.
    pub kind: PrincipalKind,
    /// The user's id; `service` for the service key.
    pub id: String,
    /// The user's name.
    pub username: String,
    /// The user's roles, by name.
    pub roles: Vec<String>,
    /// What the roles allow, together.
    pub permissions: PermissionSet,
    /// The session of the access token.
    pub session_id: String,
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
        }
    }

    /// Whether this is the service key.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.kind == PrincipalKind::Service
    }

    /// Whether the roles allow it.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(permission)
    }

    /// Everyone's with the wider permission, its own otherwise.
    #[must_use]
    pub fn scope(&self, wider: Permission) -> Scope {
        if self.is_service() || self.may(wider) {
            Scope::All
        } else {
            Scope::Owner(self.id.clone())
        }
    }

    /// The audit trail's word for the kind.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            PrincipalKind::User => "user",
            PrincipalKind::Service => "service",
        }
    }
}
