//! Reading rows by position.

use spin_sdk::sqlite::wit::sqlite::RowResult;

use crate::{Error, Value};

/// One row of a result.
#[derive(Debug, Clone)]
pub struct Row {
    values: Vec<Value>,
}

/// A type that one row of a query fills. The implementation stands beside the SQL.
pub trait FromRow: Sized {
    /// Reads the row, which is used up.
    ///
    /// # Errors
    /// [`Error::Column`] when a column does not hold what its Rust type needs.
    fn from_row(row: &mut Row) -> Result<Self, Error>;
}

impl Row {
    pub(crate) fn new(row: RowResult) -> Self {
        Self { values: row.values }
    }

    /// The value of a column that is never null.
    ///
    /// # Errors
    /// [`Error::Column`] when the column is missing, null or of another type.
    pub fn get<'a, T: TryFrom<&'a Value>>(&'a self, column: usize) -> Result<T, Error> {
        self.values
            .get(column)
            .and_then(|value| T::try_from(value).ok())
            .ok_or(Error::Column { column })
    }

    /// The value of a column that may be null.
    ///
    /// # Errors
    /// [`Error::Column`] when the column is missing or of another type.
    pub fn get_optional<'a, T: TryFrom<&'a Value>>(
        &'a self,
        column: usize,
    ) -> Result<Option<T>, Error> {
        match self.values.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.get(column).map(Some),
        }
    }

    /// A text column as an owned string.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn text(&self, column: usize) -> Result<String, Error> {
        self.get::<&str>(column).map(str::to_owned)
    }

    /// A text column that may be null, as an owned string.
    ///
    /// # Errors
    /// As [`Row::get_optional`].
    pub fn text_optional(&self, column: usize) -> Result<Option<String>, Error> {
        Ok(self.get_optional::<&str>(column)?.map(str::to_owned))
    }

    /// A text column's string itself: nothing of it is copied, and the column is null from then on.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn take_text(&mut self, column: usize) -> Result<String, Error> {
        self.take_text_optional(column)?
            .ok_or(Error::Column { column })
    }

    /// As [`Row::take_text`], of a column that may be null.
    ///
    /// # Errors
    /// As [`Row::get_optional`].
    pub fn take_text_optional(&mut self, column: usize) -> Result<Option<String>, Error> {
        match self.values.get_mut(column) {
            Some(Value::Null) => Ok(None),
            Some(value @ Value::Text(_)) => match std::mem::replace(value, Value::Null) {
                Value::Text(text) => Ok(Some(text)),
                _ => Err(Error::Column { column }),
            },
            _ => Err(Error::Column { column }),
        }
    }

    /// Bytes of a blob column.
    ///
    /// # Errors
    /// As [`Row::get`].
    pub fn blob(&self, column: usize) -> Result<Vec<u8>, Error> {
        self.get::<&[u8]>(column).map(<[u8]>::to_vec)
    }
}

impl FromRow for Row {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        let values = std::mem::take(&mut row.values);
        Ok(Self { values })
    }
}

macro_rules! from_first_column {
    ($($type:ty),*) => {$(
        impl FromRow for $type {
            fn from_row(row: &mut Row) -> Result<Self, Error> {
                row.get(0)
            }
        }
    )*};
}
from_first_column!(i64, u64, u32, bool);

impl FromRow for String {
    fn from_row(row: &mut Row) -> Result<Self, Error> {
        row.text(0)
    }
}
