//! What rows hold, as the connection takes it.
//!
//! The connection's thread frees it all, away from where it was allocated, and that costs more than the rest of an allocation.
//! So a text that one row has as the row before is allocated once for both: most columns of most groups say the same.

use std::sync::Arc;

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, Encode, Sqlite, Type};

use crate::StoreError;
use crate::db::storage;

/// The arguments of a statement, in order.
pub(super) struct Arguments(SqliteArguments);

/// A column's text in the row before.
#[derive(Default)]
pub(super) struct Before(Option<Arc<str>>);

impl Arguments {
    pub(super) fn with_capacity(values: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(values, 0);
        Self(arguments)
    }

    pub(super) fn add<'v>(&mut self, value: impl Encode<'v, Sqlite> + Type<Sqlite>) -> Result<&mut Self, StoreError> {
        let refused = |error: sqlx::error::BoxDynError| storage("adding a row")(sqlx::Error::Encode(error));
        self.0.add(value).map_err(refused)?;
        Ok(self)
    }

    pub(super) fn into_inner(self) -> SqliteArguments {
        self.0
    }
}

impl Before {
    pub(super) fn or(&mut self, text: &str) -> Arc<str> {
        match &self.0 {
            Some(before) if **before == *text => Arc::clone(before),
            _ => Arc::clone(self.0.insert(Arc::from(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shared_with_the_row_before_and_never_mistaken() {
        let mut before = Before::default();
        let (first, same, other, again) = (before.or("a"), before.or("a"), before.or("b"), before.or("a"));
        assert!(Arc::ptr_eq(&first, &same));
        assert_eq!([&*first, &*other, &*again], ["a", "b", "a"]);
    }
}
