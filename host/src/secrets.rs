//! The secrets of a first start, and the check of every variable before anything runs.
//!
//! Only variables named in `vivesphere_variables::VARIABLES` are made up here. A required variable
//! of any other application stays an error.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vivesphere_variables::{Kind, Secret, Variable, variable};

use crate::dotenv;
use crate::manifest::Variable as Declared;
use crate::variables::{Providers, Unresolved, environment_name};

/// Letters and digits without those that look alike (0 O, 1 l I), for people to retype.
const PASSWORD_ALPHABET: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// 24 characters of the alphabet are 139 bits.
const PASSWORD_LENGTH: usize = 24;

/// What a first start made. No `Debug`: it holds the password.
pub struct Generated {
    /// The variables that now stand in `.env`.
    pub names: Vec<&'static str>,
    /// The administrator's password, when it was made now.
    pub admin_password: Option<Secret<String>>,
    /// Whether there was a database already, whose administrator keeps the old password.
    pub database_existed: bool,
}

/// Makes the required secrets that nobody gives, writes them to `.env` and adds them to the
/// provider that reads it. `None` when nothing was missing.
///
/// # Errors
/// [`Unresolved`] when a variable is missing that cannot be made up; when the vault key is
/// missing although `database` exists; when `.env` cannot be written or others can read it.
pub fn generate_missing(
    declared: &BTreeMap<String, Declared>,
    providers: &mut Providers,
    dotenv: &Path,
    database: &Path,
) -> anyhow::Result<Option<Generated>> {
    let missing = plan(declared, providers, dotenv, database)?;
    if missing.is_empty() {
        return Ok(None);
    }
    let database_existed = database.exists();
    let mut generated = Generated {
        names: Vec::new(),
        admin_password: None,
        database_existed,
    };
    let mut entries = Vec::new();
    for variable in missing {
        let value = generate(variable)?;
        if variable.name == "bootstrap_admin_password" {
            generated.admin_password = Some(Secret::new(value.clone()));
        }
        generated.names.push(variable.name);
        entries.push((variable.environment_name(), value));
    }
    dotenv::append(dotenv, &entries)?;
    providers.dotenv.extend(entries);
    Ok(Some(generated))
}

/// The variables that a start has to make up. Nothing is written, so a start can ask this
/// before it does anything slow.
///
/// # Errors
/// As [`generate_missing`].
pub fn plan(
    declared: &BTreeMap<String, Declared>,
    providers: &Providers,
    dotenv: &Path,
    database: &Path,
) -> anyhow::Result<Vec<&'static Variable>> {
    let missing = missing(declared, providers)?;
    if database.exists() && missing.iter().any(|variable| variable.name == "vault_key") {
        bail!(
            "`vault_key` is missing, but the database {} exists already. What it holds is \
             encrypted with the old key, which a new one could not read.\n\
             Give the old key back ({}=… in the environment or in {}), or start with an empty \
             state directory (--state-dir).",
            database.display(),
            environment_name("vault_key"),
            dotenv.display(),
        );
    }
    if !missing.is_empty()
        && let Some(exposure) = dotenv::exposure(dotenv)?
    {
        bail!("secrets are missing and cannot be written to .env: {exposure}");
    }
    Ok(missing)
}

/// The required variables without a value, all of them from the table.
fn missing(
    declared: &BTreeMap<String, Declared>,
    providers: &Providers,
) -> Result<Vec<&'static Variable>, Unresolved> {
    let names = declared
        .iter()
        .filter(|(name, variable)| variable.default.is_none() && providers.get(name).is_none())
        .map(|(name, _)| name);
    let mut variables = Vec::new();
    let mut unknown = Vec::new();
    for name in names {
        match variable(name).filter(|variable| variable.required() && variable.secret) {
            Some(variable) => variables.push(variable),
            None => unknown.push(name.clone()),
        }
    }
    if unknown.is_empty() {
        Ok(variables)
    } else {
        Err(Unresolved(unknown))
    }
}

fn generate(variable: &Variable) -> anyhow::Result<String> {
    match variable.kind {
        Kind::Secret32 => {
            let mut bytes = [0; 32];
            fill(&mut bytes)?;
            Ok(STANDARD.encode(bytes))
        }
        Kind::Password { min } => password(min.max(PASSWORD_LENGTH)),
        _ => bail!("the variable `{}` cannot be made up", variable.name),
    }
}

fn password(length: usize) -> anyhow::Result<String> {
    // Bytes past the last whole multiple are thrown away: every character is equally likely.
    let multiple = 256 - 256 % PASSWORD_ALPHABET.len();
    let mut password = String::new();
    while password.len() < length {
        let mut bytes = [0; 64];
        fill(&mut bytes)?;
        let fair = bytes
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < multiple);
        let characters =
            fair.filter_map(|byte| PASSWORD_ALPHABET.get(byte % PASSWORD_ALPHABET.len()));
        password.extend(
            characters
                .take(length - password.len())
                .map(|byte| char::from(*byte)),
        );
    }
    Ok(password)
}

fn fill(bytes: &mut [u8]) -> anyhow::Result<()> {
    getrandom::fill(bytes).map_err(|error| anyhow!("the system gives no randomness: {error}"))
}

/// Checks every value that the table knows.
///
/// # Errors
/// Names each malformed variable and what it must look like, never the value.
pub fn check_variables(values: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let malformed: Vec<String> = values
        .iter()
        .filter_map(|(name, value)| variable(name)?.parse(value).err())
        .map(|malformed| malformed.to_string())
        .collect();
    if malformed.is_empty() {
        Ok(())
    } else {
        Err(anyhow!(malformed.join("\n"))).context("the application cannot start")
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    struct Place {
        folder: tempfile::TempDir,
        declared: BTreeMap<String, Declared>,
    }

    impl Place {
        fn new(names: &[&str]) -> Self {
            let required = |name: &&str| {
                let variable = Declared {
                    default: None,
                    secret: true,
                    description: None,
                };
                ((*name).to_owned(), variable)
            };
            Self {
                folder: tempfile::tempdir().unwrap(),
                declared: names.iter().map(required).collect(),
            }
        }

        fn dotenv(&self) -> PathBuf {
            self.folder.path().join(".env")
        }

        fn database(&self) -> PathBuf {
            self.folder.path().join("sqlite_db.db")
        }

        fn generate(&self, providers: &mut Providers) -> anyhow::Result<Option<Generated>> {
            generate_missing(&self.declared, providers, &self.dotenv(), &self.database())
        }
    }

    const ALL: &[&str] = &[
        "bootstrap_admin_password",
        "jwt_signing_key",
        "vault_key",
        "service_key",
    ];

    #[test]
    fn a_first_start_writes_well_formed_secrets_that_a_second_one_reads() {
        let place = Place::new(ALL);
        let mut providers = Providers::default();
        let generated = place.generate(&mut providers).unwrap().unwrap();
        assert_eq!(generated.names.len(), 4);
        let values = providers.resolve(&place.declared).unwrap();
        check_variables(&values).unwrap();
        let password = generated.admin_password.unwrap();
        assert_eq!(password.expose(), &values["bootstrap_admin_password"]);
        assert_eq!(password.expose().len(), PASSWORD_LENGTH);

        let mut again = Providers {
            dotenv: dotenv::read(&place.dotenv()).unwrap(),
            ..Providers::default()
        };
        assert!(place.generate(&mut again).unwrap().is_none());
        assert_eq!(again.resolve(&place.declared).unwrap(), values);
    }

    #[test]
    fn two_starts_never_make_the_same_secrets() {
        let make = || {
            let mut providers = Providers::default();
            Place::new(ALL).generate(&mut providers).unwrap();
            providers.dotenv
        };
        let (first, second) = (make(), make());
        for (name, value) in &first {
            assert_ne!(value, &second[name], "{name}");
        }
    }

    #[test]
    fn given_secrets_are_kept() {
        let place = Place::new(ALL);
        let mut providers = Providers::default();
        providers
            .command_line
            .insert("service_key".into(), "x".repeat(32));
        let generated = place.generate(&mut providers).unwrap().unwrap();
        assert!(!generated.names.contains(&"service_key"));
        assert!(
            !std::fs::read_to_string(place.dotenv())
                .unwrap()
                .contains("SERVICE_KEY")
        );
    }

    #[test]
    fn an_unknown_required_variable_is_an_error_and_nothing_is_written() {
        let place = Place::new(&["vault_key", "something_else"]);
        let error = place.generate(&mut Providers::default()).err().unwrap();
        assert!(
            error.to_string().contains(r#"[Key("something_else")]"#),
            "{error}"
        );
        assert!(!place.dotenv().exists());
    }

    #[test]
    fn a_lost_vault_key_is_not_replaced_while_the_database_exists() {
        let place = Place::new(ALL);
        std::fs::write(place.database(), "").unwrap();
        let error = place
            .generate(&mut Providers::default())
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("SPIN_VARIABLE_VAULT_KEY") && error.contains("old key"),
            "{error}"
        );
        assert!(!place.dotenv().exists());
    }

    #[test]
    fn a_malformed_variable_is_named_with_its_form_and_not_shown() {
        let values = BTreeMap::from([
            ("vault_key".to_owned(), "canary-0451".to_owned()),
            ("publish_max_attempts".to_owned(), "0".to_owned()),
            ("unrelated".to_owned(), "anything".to_owned()),
        ]);
        let message = format!("{:#}", check_variables(&values).unwrap_err());
        assert!(
            message.contains("`vault_key`") && message.contains("32 random bytes"),
            "{message}"
        );
        assert!(message.contains("`publish_max_attempts`"), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}
