//! The closed table of providers whose keys are kept here. What is asked of one to see whether it
//! takes a key costs nothing, changes nothing and is answered only to who has a key.

/// How a provider wants to see the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// `Authorization: Bearer <key>`.
    Bearer,
    /// In a header of this name.
    Header(&'static str),
}

/// A harmless call that tells whether a key is good.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The setting that says where the provider is.
    pub base_url: &'static str,
    /// What is asked for with `GET`.
    pub path: &'static str,
    /// How the key is shown.
    pub shown: Shown,
    /// A header that the provider asks for besides.
    pub also: Option<(&'static str, &'static str)>,
    /// The statuses that say that the key is not (any more) one of theirs. Others say nothing of
    /// the key: 403 is for a key that may not do this, 429 for one that did too much.
    pub refused: &'static [u16],
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Provider {
    /// The name by which the API knows it.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// How a key is checked, where it can be.
    pub check: Option<Check>,
}

/// Every provider. A new one gets a row here, a setting for its address, and that address in
/// `allowed_outbound_hosts` of the component `apikeys`.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "anthropic",
        description: "Anthropic",
        // https://docs.claude.com/en/api/models-list
        check: Some(Check {
            base_url: "anthropic_api_base_url",
            path: "/v1/models?limit=1",
            shown: Shown::Header("x-api-key"),
            also: Some(("anthropic-version", "2023-06-01")),
            refused: &[401],
        }),
    },
    Provider {
        name: "google",
        description: "Google Gemini",
        // https://ai.google.dev/api/models: a key that is none is a bad request there.
        check: Some(Check {
            base_url: "google_api_base_url",
            path: "/v1beta/models?pageSize=1",
            shown: Shown::Header("x-goog-api-key"),
            also: None,
            refused: &[400, 401],
        }),
    },
    Provider {
        name: "mistral",
        description: "Mistral AI",
        // https://docs.mistral.ai/api/#tag/models
        check: Some(Check {
            base_url: "mistral_api_base_url",
            path: "/v1/models",
            shown: Shown::Bearer,
            also: None,
            refused: &[401],
        }),
    },
    Provider {
        name: "openai",
        description: "OpenAI",
        // https://platform.openai.com/docs/api-reference/models/list
        check: Some(Check {
            base_url: "openai_api_base_url",
            path: "/v1/models",
            shown: Shown::Bearer,
            also: None,
            refused: &[401],
        }),
    },
    Provider {
        name: "openrouter",
        description: "OpenRouter",
        // https://openrouter.ai/docs/api-reference/limits: its list of models is public and would
        // say nothing of the key.
        check: Some(Check {
            base_url: "openrouter_api_base_url",
            path: "/api/v1/key",
            shown: Shown::Bearer,
            also: None,
            refused: &[401],
        }),
    },
    Provider {
        name: "other",
        description: "Any other; its key is kept and cannot be checked",
        check: None,
    },
];

/// The row of this name.
#[must_use]
pub fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

/// What is known of a key after a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// The provider takes it.
    Valid,
    /// The provider does not know it.
    Refused,
    /// The provider was not reached, or its answer says nothing of the key.
    Unknown,
    /// The provider has no harmless call, or is not in the table.
    NotCheckable,
}

impl CheckResult {
    /// Its name in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::NotCheckable => "not_checkable",
        }
    }
}

impl Check {
    /// What an answer of this status says of the key.
    #[must_use]
    pub fn judge(&self, status: u16) -> CheckResult {
        match status {
            200..=299 => CheckResult::Valid,
            _ if self.refused.contains(&status) => CheckResult::Refused,
            _ => CheckResult::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_is_in_order_and_each_address_is_a_setting_of_its_own() {
        let names: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
        assert!(names.is_sorted());
        let mut settings = BTreeSet::new();
        for provider in PROVIDERS {
            let Some(check) = provider.check else {
                continue;
            };
            assert_eq!(check.base_url, format!("{}_api_base_url", provider.name));
            assert!(settings.insert(check.base_url));
            assert!(check.path.starts_with('/'));
        }
        assert!(provider("openai").is_some() && provider("OpenAI").is_none());
    }

    proptest! {
        #[test]
        fn only_a_success_is_valid_and_only_a_named_status_refuses(status in 100u16..600) {
            for check in PROVIDERS.iter().filter_map(|provider| provider.check) {
                let result = check.judge(status);
                prop_assert_eq!(result == CheckResult::Valid, (200..300).contains(&status));
                prop_assert_eq!(result == CheckResult::Refused, check.refused.contains(&status));
                // A provider in trouble or a limit says nothing of the key.
                if status == 403 || status == 429 || status >= 500 {
                    prop_assert_eq!(result, CheckResult::Unknown);
                }
            }
        }
    }
}
