//! What a principal may do: the one closed list of permissions, sets of them, and the roles that
//! come built in.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// Makes the enum and everything that must not drift apart from it out of one list.
macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $description:literal;)+) => {
        /// One thing that a principal may be allowed to do. The list is closed: what is not here
        /// cannot be granted, asked for or checked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Permission {
            /// Every permission there is, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name by which the API and the database know it, such as `bots:read`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// One line for people who put a role together.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => $description,)+ }
            }
        }
    };
}

permissions! {
    /// See one's own bots.
    BotsRead = "bots:read", "See your own bots";
    /// See everyone's bots and what belongs to them.
    BotsReadAll = "bots:read_all", "See everyone's bots and what belongs to them";
    /// Create, change, pause, connect and delete one's own bots.
    BotsWrite = "bots:write", "Create, change, pause, connect and delete your own bots";
    /// The same for everyone's bots.
    BotsWriteAll = "bots:write_all", "Change everyone's bots and what belongs to them";
    /// See the posts of the bots one can see.
    PostsRead = "posts:read", "See the posts of the bots you can see";
    /// Write, schedule, cancel and retry posts of the bots one can change.
    PostsWrite = "posts:write", "Write, schedule, cancel and retry posts of the bots you can change";
    /// Approve or reject posts that wait for it.
    PostsApprove = "posts:approve", "Approve or reject posts that wait for approval";
    /// Store encrypted data of a bot.
    BotdataStore = "botdata:store", "Store a bot's data, encrypted";
    /// Fetch encrypted data of a bot, still encrypted.
    BotdataRetrieve = "botdata:retrieve", "Fetch a bot's data, still encrypted";
    /// See a bot's data in plain text. Each use is audited.
    BotdataReveal = "botdata:reveal", "See a bot's data in plain text; each use is audited";
    /// Create, change, lock and delete users.
    UsersManage = "users:manage", "Create, change, lock and delete users";
    /// Make roles and assign them.
    RolesManage = "roles:manage", "Make roles and assign them";
    /// See the settings.
    SettingsRead = "settings:read", "See the settings";
    /// Change the settings and roll them back.
    SettingsWrite = "settings:write", "Change the settings and roll them back";
    /// Read the logs.
    LogsRead = "logs:read", "Read the logs";
    /// Add to the logs.
    LogsSubmit = "logs:submit", "Add to the logs";
    /// Read the audit trail.
    AuditRead = "audit:read", "Read the audit trail";
    /// See personas.
    PersonasRead = "personas:read", "See personas";
    /// Create, change and delete personas.
    PersonasWrite = "personas:write", "Create, change and delete personas";
    /// Store, rotate and delete keys of other providers.
    ApikeysManage = "apikeys:manage", "Store, rotate and delete other providers' keys";
    /// Create and revoke one's own access keys to this API.
    AccessKeysManage = "access_keys:manage", "Create and revoke your own access keys";
    /// See trends and their history.
    TrendsRead = "trends:read", "See trends and their history";
    /// Add, change and remove the sources of trends.
    TrendsManage = "trends:manage", "Add, change and remove sources of trends";
    /// See metrics.
    MetricsRead = "metrics:read", "See metrics";
    /// Start a job by hand.
    JobsRun = "jobs:run", "Start a job by hand";
    /// See the state of each part of the system.
    HealthReadDetailed = "health:read_detailed", "See the state of each part of the system";
}

// A set is one `u64`.
const _: () = assert!(Permission::ALL.len() <= 64);

/// A name that is on no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such {kind}")]
pub struct UnknownName {
    kind: &'static str,
}

impl FromStr for Permission {
    type Err = UnknownName;

    /// Reads [`Permission::as_str`]; exactly, for a permission that is nearly right is wrong.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.as_str() == text)
            .ok_or(UnknownName { kind: "permission" })
    }
}

impl Permission {
    /// Reads [`Permission::as_str`].
    ///
    /// # Errors
    /// [`UnknownName`] for any other text.
    pub fn parse(text: &str) -> Result<Self, UnknownName> {
        text.parse()
    }

    const fn bit(self) -> u64 {
        1 << (self as u32)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A set of permissions, in one machine word. In JSON a list of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// No permission.
    pub const EMPTY: Self = Self(0);
    /// Every permission there is.
    pub const ALL: Self = Self::of(Permission::ALL);

    /// The set of `permissions`.
    #[must_use]
    pub const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut rest = permissions;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// Whether `permission` is in the set.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// The set with `permission` in it.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | permission.bit())
    }

    /// The set without `permission`.
    #[must_use]
    pub const fn without(self, permission: Permission) -> Self {
        Self(self.0 & !permission.bit())
    }

    /// What is in either: several roles together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both: an access key's scopes, held down to what its owner may do.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether everything here is in `other` too. Nobody grants what they do not have.
    #[must_use]
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many permissions are in the set.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// What is in the set, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .iter()
            .copied()
            .filter(move |permission| self.contains(*permission))
    }

    /// The names of what is in the set.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Permission::as_str).collect()
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl Serialize for PermissionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Permission::as_str))
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|name| Permission::parse(name).map_err(D::Error::custom))
            .collect()
    }
}

/// A role that is always there and cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltInRole {
    /// May do everything.
    Admin,
    /// Runs bots of their own, and stores their data without seeing it in plain text.
    Operator,
    /// Sees everyone's bots and posts, and approves.
    Reviewer,
    /// Sees everyone's bots and posts, and changes nothing.
    Viewer,
}

impl BuiltInRole {
    /// Every built-in role.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Operator, Self::Reviewer, Self::Viewer];

    /// The name by which the API and the database know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Reviewer => "reviewer",
            Self::Viewer => "viewer",
        }
    }

    /// Reads [`BuiltInRole::as_str`].
    ///
    /// # Errors
    /// [`UnknownName`] for any other text.
    pub fn parse(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownName { kind: "role" })
    }

    /// One line for people who assign it.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Admin => "May do everything",
            Self::Operator => "Runs their own bots and stores their data",
            Self::Reviewer => "Sees everyone's bots and posts, and approves posts",
            Self::Viewer => "Sees everyone's bots and posts, and changes nothing",
        }
    }

    /// What the role allows.
    #[must_use]
    pub const fn permissions(self) -> PermissionSet {
        use Permission as P;
        match self {
            Self::Admin => PermissionSet::ALL,
            Self::Operator => PermissionSet::of(&[
                P::BotsRead,
                P::BotsWrite,
                P::PostsRead,
                P::PostsWrite,
                P::BotdataStore,
                P::BotdataRetrieve,
                P::LogsSubmit,
                P::PersonasRead,
                P::PersonasWrite,
                P::ApikeysManage,
                P::AccessKeysManage,
                P::TrendsRead,
                P::TrendsManage,
                P::MetricsRead,
            ]),
            Self::Reviewer => Self::Viewer.permissions().with(P::PostsApprove),
            Self::Viewer => PermissionSet::of(&[
                P::BotsRead,
                P::BotsReadAll,
                P::PostsRead,
                P::PersonasRead,
                P::TrendsRead,
                P::MetricsRead,
            ]),
        }
    }
}

impl fmt::Display for BuiltInRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn any_permission() -> impl Strategy<Value = Permission> {
        prop::sample::select(Permission::ALL)
    }

    fn any_permissions() -> impl Strategy<Value = BTreeSet<Permission>> {
        prop::collection::btree_set(any_permission(), 0..Permission::ALL.len())
    }

    fn set(permissions: &BTreeSet<Permission>) -> PermissionSet {
        permissions.iter().copied().collect()
    }

    #[test]
    fn names_are_well_formed_and_different() {
        let names: BTreeSet<_> = Permission::ALL.iter().map(|p| p.as_str()).collect();
        assert_eq!(names.len(), 26);
        for name in names {
            let (noun, verb) = name.split_once(':').unwrap();
            for word in [noun, verb] {
                assert!(!word.is_empty(), "{name}");
                assert!(
                    word.bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                );
            }
        }
    }

    #[test]
    fn the_built_in_roles_are_what_they_say() {
        use Permission as P;
        let allows = |role: BuiltInRole, permission| role.permissions().contains(permission);
        assert_eq!(BuiltInRole::Admin.permissions(), PermissionSet::ALL);
        assert!(allows(BuiltInRole::Operator, P::BotdataStore));
        assert!(allows(BuiltInRole::Operator, P::BotdataRetrieve));
        assert!(allows(BuiltInRole::Reviewer, P::PostsApprove));
        for role in BuiltInRole::ALL {
            assert_eq!(BuiltInRole::parse(role.as_str()), Ok(role));
            if role == BuiltInRole::Admin {
                continue;
            }
            for only_admin in [
                P::BotdataReveal,
                P::BotsWriteAll,
                P::UsersManage,
                P::RolesManage,
                P::SettingsWrite,
                P::AuditRead,
                P::JobsRun,
            ] {
                assert!(!allows(role, only_admin), "{role} {only_admin}");
            }
        }
        assert!(!allows(BuiltInRole::Operator, P::BotsReadAll));
        for permission in BuiltInRole::Viewer.permissions().iter() {
            assert!(permission.as_str().contains(":read"), "{permission}");
        }
        assert!(BuiltInRole::parse("root").is_err());
    }

    proptest! {
        #[test]
        fn names_come_back(permission in any_permission()) {
            prop_assert_eq!(Permission::parse(permission.as_str()), Ok(permission));
        }

        #[test]
        fn other_names_are_refused(name in "\\PC{0,20}") {
            prop_assume!(Permission::ALL.iter().all(|p| p.as_str() != name));
            prop_assert!(Permission::parse(&name).is_err());
        }

        #[test]
        fn behaves_like_a_set(left in any_permissions(), right in any_permissions(), one in any_permission()) {
            let (a, b) = (set(&left), set(&right));
            prop_assert_eq!(a.contains(one), left.contains(&one));
            prop_assert_eq!(a.len(), left.len());
            prop_assert_eq!(a.is_empty(), left.is_empty());
            prop_assert_eq!(a.iter().collect::<BTreeSet<_>>(), left.clone());
            prop_assert_eq!(a.union(b), left.union(&right).copied().collect());
            prop_assert_eq!(a.intersection(b), left.intersection(&right).copied().collect());
            prop_assert_eq!(a.is_subset_of(b), left.is_subset(&right));
            prop_assert!(a.with(one).contains(one));
            prop_assert!(!a.without(one).contains(one));
        }

        #[test]
        fn json_is_a_list_of_names(permissions in any_permissions()) {
            let json = serde_json::to_string(&set(&permissions)).unwrap();
            let names: Vec<String> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(names.len(), permissions.len());
            prop_assert_eq!(serde_json::from_str::<PermissionSet>(&json).unwrap(), set(&permissions));
        }
    }

    #[test]
    fn json_with_an_unknown_name_is_refused() {
        assert!(serde_json::from_str::<PermissionSet>(r#"["bots:read","bots:fly"]"#).is_err());
    }
}
