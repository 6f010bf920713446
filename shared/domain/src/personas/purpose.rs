//! No two bots for the same purpose: X's rules on automation and on authenticity do not allow
//! several accounts with duplicate or substantially similar purposes. Accounts that differ in
//! whom they write for (another city, another language) are what the rules allow.
//!
//! Everything here runs under the write lock, in the transaction that links or changes.

use vivesphere_db::{Row, Transaction, params};

use super::banned_terms::folded;
use super::language::Language;
use super::{Persona, PersonaFields};
use crate::permissions::Permission;
use crate::{Error, Principal};

/// What two spellings of one purpose have in common: its words, without case and punctuation.
#[must_use]
pub fn purpose_key(purpose: &str) -> String {
    folded(purpose)
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What makes two personas the same to the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) purpose: String,
    pub(super) language: String,
    /// The region that is given, else the one that the language's tag names, else empty.
    pub(super) region: String,
}

impl Keys {
    /// The keys of checked fields.
    pub(super) fn of(fields: &PersonaFields) -> Result<Self, Error> {
        let language = Language::parse(&fields.language)
            .map_err(|error| Error::invalid("/language", error.to_string()))?;
        let region = fields.region.as_deref().or(language.region());
        Ok(Self {
            purpose: purpose_key(&fields.purpose),
            language: language.key(),
            region: region.unwrap_or_default().to_owned(),
        })
    }
}

/// Refuses to let a bot write as a persona that does not exist or cannot be seen, or that serves
/// what another bot serves already. `bot_id` is empty for a bot that is being made.
pub(crate) async fn check_link(
    transaction: &Transaction,
    principal: &Principal,
    persona_id: &str,
    bot_id: &str,
) -> Result<(), Error> {
    let owner = principal.scope(Permission::BotsReadAll).owner();
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT purpose_key, language_key, region_key FROM personas
             WHERE persona_id = ?2 AND deleted_at IS NULL AND (?1 IS NULL OR owner_id = ?1)",
            params![owner, persona_id],
        )
        .await?;
    let Some(row) = row else {
        let detail = "names no persona of yours";
        return Err(Error::invalid("/persona_id", detail));
    };
    let keys = Keys {
        purpose: row.text(0)?,
        language: row.text(1)?,
        region: row.text(2)?,
    };
    // The same persona is the same purpose, so every other bot counts.
    check_others(transaction, principal, &keys, "", bot_id).await
}

/// Refuses a change that would give the bots of a persona the purpose of another bot. Nothing to
/// refuse as long as no bot writes as it.
pub(super) async fn check_change(
    transaction: &Transaction,
    principal: &Principal,
    persona: &Persona,
    keys: &Keys,
) -> Result<(), Error> {
    let linked: Option<i64> = transaction
        .query_optional(
            "SELECT count(*) FROM bots WHERE persona_id = ? AND deleted_at IS NULL",
            params![persona.persona_id.as_str()],
        )
        .await?;
    if linked.unwrap_or_default() == 0 {
        return Ok(());
    }
    check_others(transaction, principal, keys, &persona.persona_id, "").await
}

/// Looks for a bot with these keys, leaving one persona and one bot out.
async fn check_others(
    transaction: &Transaction,
    principal: &Principal,
    keys: &Keys,
    persona_id: &str,
    bot_id: &str,
) -> Result<(), Error> {
    let row: Option<Row> = transaction
        .query_optional(
            "SELECT b.bot_name, b.owner_id FROM personas p
             JOIN bots b ON b.persona_id = p.persona_id AND b.deleted_at IS NULL
             WHERE p.purpose_key = ?1 AND p.language_key = ?2 AND p.region_key = ?3
                AND p.deleted_at IS NULL AND p.persona_id <> ?4 AND b.bot_id <> ?5
             ORDER BY b.bot_id LIMIT 1",
            params![
                keys.purpose.as_str(),
                keys.language.as_str(),
                keys.region.as_str(),
                persona_id,
                bot_id
            ],
        )
        .await?;
    let Some(row) = row else {
        return Ok(());
    };
    let owner = principal.scope(Permission::BotsReadAll).owner();
    let which = match owner.is_none_or(|owner| row.text(1).is_ok_and(|other| other == owner)) {
        true => format!("The bot \"{}\"", row.text(0)?),
        // Whose it is and what it is called is not theirs to know.
        false => "Another bot of this deployment".to_owned(),
    };
    Err(Error::conflict(
        "duplicate_purpose",
        format!(
            "{which} has the same purpose, language and region (rule duplicate_purpose). X's \
             rules on automation and on authenticity do not allow several accounts with \
             duplicate or substantially similar purposes: give this one a purpose, a language or \
             a region of its own."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fields::tests::fields;
    use super::*;

    #[test]
    fn spelling_makes_no_purpose_of_its_own() {
        let key = purpose_key("Daily weather for Lyon");
        for same in [
            "daily WEATHER for lyon!",
            "  Daily—weather, for \"Lyon\" ",
            "Daily weather for Lyo\u{200b}n",
            "Ｄaily weather for Lyon.",
        ] {
            assert_eq!(purpose_key(same), key, "{same}");
        }
        assert_ne!(purpose_key("Daily weather for Nice"), key);
        assert_eq!(purpose_key("… !"), "");
    }

    #[test]
    fn a_region_in_the_language_counts_unless_one_is_given() {
        let keys = |language: &str, region: Option<&str>| {
            let region = region.map(str::to_owned);
            let language = language.to_owned();
            Keys::of(&PersonaFields {
                language,
                region,
                ..fields()
            })
            .unwrap()
        };
        assert_eq!(keys("en-GB", None), keys("en", Some("GB")));
        assert_eq!(keys("en-GB", Some("US")), keys("en", Some("US")));
        assert_ne!(keys("en", None), keys("en", Some("GB")));
        assert_ne!(keys("zh-Hans", None), keys("zh-Hant", None));
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(purpose in "\\PC{0,30}") {
            let key = purpose_key(&purpose);
            prop_assert_eq!(purpose_key(&key), key);
        }

        #[test]
        fn case_and_punctuation_make_no_difference(words in prop::collection::vec("[a-zа-я0-9]{1,8}", 1..6), marks in "[ .,!?;:-]{1,3}") {
            let plain = words.join(" ");
            prop_assert_eq!(purpose_key(&words.join(&marks).to_uppercase()), purpose_key(&plain));
        }
    }
}
