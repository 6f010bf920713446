//! The categories and the levels.

/// A category of the logs, the least important first: when the queue is full, the less important
/// makes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogType {
    /// Details for whoever looks for the cause of something.
    Debug,
    /// What workers and programs did.
    Terminal,
    /// What operators should see: problems.
    Console,
    /// Who did what.
    UserActivity,
}

impl LogType {
    /// Every category, the least important first.
    pub const ALL: [Self; 4] = [
        Self::Debug,
        Self::Terminal,
        Self::Console,
        Self::UserActivity,
    ];

    /// The name by which the API and the database know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Terminal => "terminal",
            Self::Console => "console",
            Self::UserActivity => "user_activity",
        }
    }

    /// Reads [`LogType::as_str`]; nothing for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How important a record is within its category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the usual five")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// Every level, the least important first.
    pub const ALL: [Self; 5] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
    ];

    /// The name by which the API and the database know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Reads [`Level::as_str`]; nothing for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}
