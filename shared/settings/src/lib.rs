//! The settings that hold now, from this instance's memory.
//!
//! What lies in the memory is true for everyone, so an instance may keep it between requests. It
//! is as old as [`FRESH`] at most: then one number is asked for, and only when that has changed
//! are the settings read again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use vivesphere_config as config;
use vivesphere_config::Misconfigured;
use vivesphere_db::{Database, Error};
use vivesphere_domain::settings::{
    Fallback, Network, PublishingWindows, Setting, Value, Version, change_number, every_current,
    find,
};

/// How long what was read is used without asking whether it still holds.
pub const FRESH: Duration = Duration::from_secs(2);

type Values = BTreeMap<(&'static str, &'static str), Value>;

struct Read {
    asked_at: Instant,
    change_number: i64,
    values: Rc<Values>,
}

thread_local! {
    static READ: RefCell<Option<Read>> = const { RefCell::new(None) };
}

/// The settings at one moment.
#[derive(Clone)]
pub struct Settings(Rc<Values>);

/// The settings that hold now.
///
/// # Errors
/// Storage.
pub async fn current(db: &Database) -> Result<Settings, Error> {
    let known = READ.with_borrow_mut(|read| {
        let read = read.as_mut()?;
        let asked_at = read.asked_at;
        let fresh = asked_at.elapsed() < FRESH;
        if !fresh {
            // The others of this instance use what is there while one of them asks.
            read.asked_at = Instant::now();
        }
        Some((fresh, asked_at, read.change_number, read.values.clone()))
    });
    let asked_before = match known {
        Some((true, _, _, values)) => return Ok(Settings(values)),
        Some((false, asked_at, ..)) => Some(asked_at),
        None => None,
    };
    let result = ask(db, known.map(|(_, _, number, values)| (number, values))).await;
    if let (Err(_), Some(asked_before)) = (&result, asked_before) {
        // Not known to hold: the next request asks again.
        READ.with_borrow_mut(|read| {
            if let Some(read) = read {
                read.asked_at = asked_before;
            }
        });
    }
    result
}

async fn ask(db: &Database, known: Option<(i64, Rc<Values>)>) -> Result<Settings, Error> {
    let asked_at = Instant::now();
    // First the number: what changes between the two is then read again the next time.
    let number = change_number(db).await?;
    let values = match known {
        Some((known, values)) if known == number => values,
        _ => Rc::new(by_name(every_current(db).await?)),
    };
    READ.with_borrow_mut(|read| {
        // A slower asker does not bring back what was before.
        if read
            .as_ref()
            .is_none_or(|read| read.change_number <= number)
        {
            *read = Some(Read {
                asked_at,
                change_number: number,
                values: values.clone(),
            });
        }
    });
    Ok(Settings(values))
}

fn by_name(values: Vec<(&'static Setting, Value)>) -> Values {
    values
        .into_iter()
        .map(|(setting, value)| ((setting.service, setting.name), value))
        .collect()
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was set here.
    Set,
    /// The deployment gives it as a variable.
    Variable,
    /// The table's default.
    Default,
}

impl Settings {
    /// Whether these are the same settings, and not only equal ones: what was made of them still
    /// holds.
    #[must_use]
    pub fn are(&self, others: &Self) -> bool {
        Rc::ptr_eq(&self.0, &others.0)
    }

    /// What one version of one service's settings says.
    #[must_use]
    pub fn of(version: &Version) -> Self {
        Self(Rc::new(by_name(version.values())))
    }

    /// The value of a setting, and where it comes from: set here, else the deployment's variable,
    /// else the table's default.
    ///
    /// # Errors
    /// [`Misconfigured`] when the variable is not granted to this component or malformed.
    // Boxed, so that its code is in a component once and not wherever it is awaited.
    pub fn value(
        &self,
        setting: &'static Setting,
    ) -> Pin<Box<dyn Future<Output = Result<(Value, Source), Misconfigured>> + '_>> {
        Box::pin(self.look_up(setting))
    }

    async fn look_up(&self, setting: &'static Setting) -> Result<(Value, Source), Misconfigured> {
        let (mut setting, mut own) = (setting, true);
        loop {
            if let Some(value) = self.0.get(&(setting.service, setting.name)) {
                return Ok((value.clone(), from(Source::Set, own)));
            }
            if let Some(variable) = setting.variable {
                let number = config::integer(variable).await?;
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                return Ok((Value::Integer(number), from(Source::Variable, own)));
            }
            if let Some(value) = setting.fallback_value() {
                return Ok((value, Source::Default));
            }
            // The table's test follows every `SameAs` to a value.
            match setting.fallback {
                Fallback::SameAs(name) if name != setting.name => {
                    setting = find(setting.service, name)
                        .ok_or_else(|| wrong(setting, "it names a setting that is not there"))?;
                    own = false;
                }
                _ => return Err(wrong(setting, "it has no default")),
            }
        }
    }

    /// A number.
    ///
    /// # Errors
    /// As [`Settings::value`]; also when the setting is of another kind.
    pub async fn integer(&self, setting: &'static Setting) -> Result<i64, Misconfigured> {
        match self.value(setting).await? {
            (Value::Integer(number), _) => Ok(number),
            _ => Err(wrong(setting, "it is not a number")),
        }
    }

    /// Yes or no.
    ///
    /// # Errors
    /// As [`Settings::integer`].
    pub async fn boolean(&self, setting: &'static Setting) -> Result<bool, Misconfigured> {
        match self.value(setting).await? {
            (Value::Boolean(value), _) => Ok(value),
            _ => Err(wrong(setting, "it is not true or false")),
        }
    }

    /// Origins of web pages.
    ///
    /// # Errors
    /// As [`Settings::integer`].
    pub async fn origins(&self, setting: &'static Setting) -> Result<Vec<String>, Misconfigured> {
        match self.value(setting).await? {
            (Value::Origins(origins), _) => Ok(origins),
            _ => Err(wrong(setting, "it is not a list of origins")),
        }
    }

    /// Networks of addresses.
    ///
    /// # Errors
    /// As [`Settings::integer`].
    pub async fn networks(&self, setting: &'static Setting) -> Result<Vec<Network>, Misconfigured> {
        match self.value(setting).await? {
            (Value::Networks(networks), _) => Ok(networks),
            _ => Err(wrong(setting, "it is not a list of networks")),
        }
    }

    /// Hours of the week.
    ///
    /// # Errors
    /// As [`Settings::integer`].
    pub async fn publishing_windows(
        &self,
        setting: &'static Setting,
    ) -> Result<PublishingWindows, Misconfigured> {
        match self.value(setting).await? {
            (Value::PublishingWindows(windows), _) => Ok(windows),
            _ => Err(wrong(setting, "it is not a list of hours")),
        }
    }
}

/// Another setting's value is the default of the one that was asked for.
fn from(source: Source, own: bool) -> Source {
    if own { source } else { Source::Default }
}

fn wrong(setting: &Setting, reason: &str) -> Misconfigured {
    Misconfigured {
        name: format!("{}/{}", setting.service, setting.name),
        reason: reason.to_owned(),
    }
}
