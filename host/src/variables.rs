//! Application variables: who gives a value, and in which order they are asked.
//!
//! As in Spin: the command line (`--variable`), then `SPIN_VARIABLE_<NAME>` in the
//! environment, then the same name in `.env` of the working directory, then the default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};

use crate::manifest::Variable;
use crate::manifest::document::near_miss;

/// Everybody who may give a variable's value. No `Debug`: values may be secrets.
#[derive(Clone, Default)]
pub struct Providers {
    /// `--variable`, by variable name.
    pub command_line: BTreeMap<String, String>,
    /// The process's environment, by environment name.
    pub environment: BTreeMap<String, String>,
    /// `.env`, by environment name.
    pub dotenv: BTreeMap<String, String>,
}

/// Required variables to which nobody gave a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unresolved(pub Vec<String>);

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.0.iter().map(|name| format!("Key({name:?})")).collect();
        let first = self.0.first().map_or("name", String::as_str);
        write!(
            formatter,
            "no provider resolved required variable(s): [{}]\n\
             Give each one a value with `--variable {first}=…`, as `{}=…` in the environment, \
             or as that same line in a .env file in the working directory.",
            keys.join(", "),
            environment_name(first),
        )
    }
}

/// The environment variable that gives a variable its value.
pub fn environment_name(variable: &str) -> String {
    format!("SPIN_VARIABLE_{}", variable.to_ascii_uppercase())
}

impl Providers {
    /// What a provider gives for a variable; the default is not asked.
    pub fn get(&self, variable: &str) -> Option<&str> {
        let name = environment_name(variable);
        self.command_line
            .get(variable)
            .or_else(|| self.environment.get(&name))
            .or_else(|| self.dotenv.get(&name))
            .map(String::as_str)
    }

    /// Every declared variable's value.
    ///
    /// # Errors
    /// [`Unresolved`] names the required variables without one.
    pub fn resolve(
        &self,
        declared: &BTreeMap<String, Variable>,
    ) -> Result<BTreeMap<String, String>, Unresolved> {
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, variable) in declared {
            match self.get(name).or(variable.default.as_deref()) {
                Some(value) => {
                    values.insert(name.clone(), value.to_owned());
                }
                None => missing.push(name.clone()),
            }
        }
        if missing.is_empty() {
            Ok(values)
        } else {
            Err(Unresolved(missing))
        }
    }

    /// Refuses a `--variable` that the manifest does not declare.
    ///
    /// # Errors
    /// Names the variable, and the one that was probably meant.
    pub fn check_declared(&self, declared: &BTreeMap<String, Variable>) -> anyhow::Result<()> {
        let known: Vec<&str> = declared.keys().map(String::as_str).collect();
        for name in self.command_line.keys() {
            if !declared.contains_key(name) {
                bail!(match near_miss(name, &known) {
                    Some(near) => format!(
                        "--variable {name}: the manifest declares no such variable; \
                         did you mean `{near}`?"
                    ),
                    None => format!("--variable {name}: the manifest declares no such variable"),
                });
            }
        }
        Ok(())
    }
}

/// Reads the arguments of `--variable`: `name=value`, `name=@file` (the file's whole text) or
/// `@file.toml` / `@file.json` (a table of strings). A later one wins.
///
/// # Errors
/// When an argument has none of these forms or its file cannot be read. Values are not shown.
pub fn from_arguments(arguments: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for argument in arguments {
        if let Some(file) = argument.strip_prefix('@') {
            values.extend(table(Path::new(file))?);
            continue;
        }
        let (name, value) = argument.split_once('=').ok_or_else(|| {
            anyhow!("--variable needs `name=value`, `name=@file`, `@file.toml` or `@file.json`")
        })?;
        let value = match value.strip_prefix('@') {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("--variable {name}: cannot read {file}"))?,
            None => value.to_owned(),
        };
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

fn table(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--variable @{shown}: cannot read the file"))?;
    // The parsers' own messages quote the file, which may hold secrets.
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_str(&text).map_err(|_| {
            anyhow!("--variable @{shown}: the file must hold a JSON object of strings")
        }),
        Some("toml") => toml_strings(&text).ok_or_else(|| {
            anyhow!("--variable @{shown}: the file must hold a TOML table of strings")
        }),
        _ => bail!("--variable @{shown}: the file's name must end in .toml or .json"),
    }
}

fn toml_strings(text: &str) -> Option<BTreeMap<String, String>> {
    let document = toml_edit::Document::parse(text).ok()?;
    let rows = document.as_table().iter();
    rows.map(|(name, item)| Some((name.to_owned(), item.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(rows: &[(&str, Option<&str>)]) -> BTreeMap<String, Variable> {
        rows.iter()
            .map(|(name, default)| {
                let variable = Variable {
                    default: default.map(str::to_owned),
                    secret: false,
                    description: None,
                };
                ((*name).to_owned(), variable)
            })
            .collect()
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_command_line_wins_over_environment_dotenv_and_default() {
        let mut providers = Providers {
            command_line: map(&[("a", "line")]),
            environment: map(&[("SPIN_VARIABLE_A", "environment")]),
            dotenv: map(&[("SPIN_VARIABLE_A", "dotenv")]),
        };
        let declared = declared(&[("a", Some("default"))]);
        assert_eq!(providers.resolve(&declared).unwrap()["a"], "line");
        providers.command_line.clear();
        assert_eq!(providers.resolve(&declared).unwrap()["a"], "environment");
        providers.environment.clear();
        assert_eq!(providers.resolve(&declared).unwrap()["a"], "dotenv");
        providers.dotenv.clear();
        assert_eq!(providers.resolve(&declared).unwrap()["a"], "default");
    }

    #[test]
    fn required_variables_without_a_value_are_all_named() {
        let error = Providers::default()
            .resolve(&declared(&[
                ("one", None),
                ("two", None),
                ("three", Some("3")),
            ]))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(
                r#"no provider resolved required variable(s): [Key("one"), Key("two")]"#
            ),
            "{error}"
        );
        assert!(error.contains("`--variable one=…`") && error.contains("SPIN_VARIABLE_ONE"));
    }

    #[test]
    fn an_empty_value_is_a_value() {
        let providers = Providers {
            command_line: map(&[("a", "")]),
            ..Providers::default()
        };
        assert_eq!(
            providers.resolve(&declared(&[("a", None)])).unwrap()["a"],
            ""
        );
    }

    #[test]
    fn an_undeclared_variable_is_refused_with_the_near_one() {
        let providers = Providers {
            command_line: map(&[("vault_kye", "x")]),
            ..Providers::default()
        };
        let error = providers
            .check_declared(&declared(&[("vault_key", None)]))
            .unwrap_err();
        assert!(
            error.to_string().contains("did you mean `vault_key`?"),
            "{error}"
        );
    }

    #[test]
    fn values_come_from_the_argument_a_file_or_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let text = file("text", "from file");
        let toml = file("values.toml", "b = \"toml\"\nc = \"toml\"\n");
        let json = file("values.json", r#"{"c": "json"}"#);
        let arguments = [
            "a=x=y".to_owned(),
            format!("d=@{text}"),
            format!("@{toml}"),
            format!("@{json}"),
        ];
        let values = from_arguments(&arguments).unwrap();
        assert_eq!(
            values,
            map(&[
                ("a", "x=y"),
                ("b", "toml"),
                ("c", "json"),
                ("d", "from file")
            ])
        );
    }

    #[test]
    fn malformed_arguments_are_refused_without_showing_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("values.json");
        std::fs::write(&path, r#"{"key": canary-0451}"#).unwrap();
        let error = from_arguments(&[format!("@{}", path.display())]).unwrap_err();
        assert!(!format!("{error:#}").contains("canary"), "{error:#}");
        for argument in [
            "name",
            "@values.yaml",
            "@missing.json",
            "name=@/no/such/file",
        ] {
            assert!(
                from_arguments(&[argument.to_owned()]).is_err(),
                "{argument}"
            );
        }
    }
}
