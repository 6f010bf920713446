//! What a statement is, told by its first words: SQLite says more only when it is compiled.

/// What a statement begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `SELECT`.
    Read,
    /// `INSERT`, `UPDATE`, `DELETE`, `REPLACE`.
    Write,
    /// `CREATE`, `DROP`, `ALTER`.
    Schema,
    Begin {
        /// Whether it takes SQLite's write lock, not only the first write after it.
        immediate: bool,
    },
    Commit,
    Rollback,
    /// `PRAGMA synchronous`.
    Durability {
        /// Whether commits to a write-ahead log do not wait for the disk from now on; nothing where
        /// that is only asked for.
        relaxed: Option<bool>,
    },
    /// `WITH` and savepoints: what leaves nothing on its connection.
    Passing,
    /// Other pragmas, attached files, and whatever else there is.
    Other,
}

impl Kind {
    /// What a statement is. One that begins with anything but a word, such as a comment, which may
    /// hold any words, is not known.
    pub(super) fn of(statement: &str) -> Self {
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let statement = statement.trim_start();
        if !statement.starts_with(is_word) {
            return Self::Other;
        }
        let mut words = statement
            .split(|character| !is_word(character))
            .filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default();
        let is = |word: &str, any: &[&str]| any.iter().any(|one| word.eq_ignore_ascii_case(one));
        match () {
            () if is(first, &["select"]) => Self::Read,
            () if is(first, &["insert", "update", "delete", "replace"]) => Self::Write,
            () if is(first, &["create", "drop", "alter"]) => Self::Schema,
            () if is(first, &["begin"]) => Self::Begin {
                immediate: is(
                    words.next().unwrap_or_default(),
                    &["immediate", "exclusive"],
                ),
            },
            () if is(first, &["commit", "end"]) => Self::Commit,
            // To a savepoint it does not end the transaction.
            () if is(first, &["rollback"]) && !words.any(|word| is(word, &["to"])) => {
                Self::Rollback
            }
            () if is(first, &["with", "savepoint", "release", "rollback"]) => Self::Passing,
            () if is(first, &["pragma"])
                && is(words.next().unwrap_or_default(), &["synchronous"]) =>
            {
                Self::Durability {
                    relaxed: words
                        .next()
                        .map(|level| is(level, &["off", "normal", "0", "1"])),
                }
            }
            () => Self::Other,
        }
    }

    /// Whether it takes SQLite's write lock at once. One that is not known to does not wait for its
    /// turn, and waits as SQLite does.
    pub(super) fn writes(self) -> bool {
        matches!(
            self,
            Self::Write | Self::Schema | Self::Begin { immediate: true }
        )
    }

    /// What it may leave behind. What is not known is taken for the worst.
    pub(super) fn traces(self) -> Traces {
        match self {
            Self::Durability { .. } => Traces::Synchronous,
            Self::Schema | Self::Other => Traces::Lasting,
            _ => Traces::None,
        }
    }
}

/// What a statement leaves behind on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Traces {
    None,
    /// `PRAGMA synchronous`, which is easily set back.
    Synchronous,
    /// Other pragmas, temporary tables, attached files, and whatever else there is.
    Lasting,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_something_behind_is_known_by_its_first_words() {
        for (statement, wanted) in [
            ("SELECT 1", Traces::None),
            ("  insert into t values (1)", Traces::None),
            ("WITH n AS (SELECT 1) SELECT * FROM n", Traces::None),
            ("BEGIN IMMEDIATE", Traces::None),
            ("COMMIT", Traces::None),
            ("PRAGMA synchronous=NORMAL", Traces::Synchronous),
            ("pragma synchronous = off", Traces::Synchronous),
            ("PRAGMA main.synchronous=OFF", Traces::Lasting),
            ("PRAGMA foreign_keys=ON", Traces::Lasting),
            ("CREATE TEMP TABLE t (id)", Traces::Lasting),
            ("ATTACH 'x' AS x", Traces::Lasting),
            ("-- select\nPRAGMA foreign_keys=ON", Traces::Lasting),
            ("/*select*/ PRAGMA foreign_keys=ON", Traces::Lasting),
            (";select 1", Traces::Lasting),
            ("", Traces::Lasting),
        ] {
            assert_eq!(Kind::of(statement).traces(), wanted, "{statement}");
        }
    }

    #[test]
    fn what_writes_is_known_by_its_first_words() {
        for statement in [
            "INSERT INTO t VALUES (1)",
            " update t set a = 1",
            "BEGIN IMMEDIATE",
            "begin exclusive transaction",
        ] {
            assert!(Kind::of(statement).writes(), "{statement}");
        }
        for statement in [
            "SELECT 1",
            "BEGIN",
            "BEGIN DEFERRED",
            "COMMIT",
            "PRAGMA synchronous=OFF",
            "",
        ] {
            assert!(!Kind::of(statement).writes(), "{statement}");
        }
    }

    #[test]
    fn how_durable_commits_are_to_be_is_told_apart_from_a_question() {
        for (statement, wanted) in [
            ("PRAGMA synchronous=NORMAL", Some(true)),
            ("PRAGMA synchronous(0)", Some(true)),
            ("PRAGMA synchronous = FULL", Some(false)),
            ("PRAGMA synchronous = 3", Some(false)),
            ("PRAGMA synchronous", None),
        ] {
            let relaxed = wanted;
            assert_eq!(
                Kind::of(statement),
                Kind::Durability { relaxed },
                "{statement}"
            );
        }
    }

    #[test]
    fn only_a_whole_transaction_is_rolled_back() {
        assert_eq!(Kind::of("ROLLBACK TRANSACTION"), Kind::Rollback);
        assert_eq!(Kind::of("ROLLBACK TO a"), Kind::Passing);
        assert_eq!(
            Kind::of("ROLLBACK TRANSACTION TO SAVEPOINT a"),
            Kind::Passing
        );
    }
}
