//! What the journal keeps as JSON: types of its own, and the way from the core's to them and back.
//!
//! Nothing of the core knows how it is written. Each conversion names every field and every variant, so that one that is new does not
//! compile before it is said here what becomes of it on disk, and one that is renamed is called on disk what it was. The types are numbered:
//! what an earlier version wrote is read by the types of that version, so that a released one changes only by fields with a default.

mod alert;
mod escalation;
mod incident;
mod message;
mod phase;
mod run;
mod setting;
mod step;
mod task;
mod word;

pub(super) use self::incident::alerts_of;
pub(super) use self::message::SubjectV1;
pub(super) use self::run::outcome;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something of which the journal keeps the JSON of another type.
pub(super) trait Kept: Sized {
    /// That type, as this version writes it.
    type Wire: Serialize + DeserializeOwned + for<'a> From<&'a Self> + Into<Self>;
}

/// What is written of it.
pub(super) fn write<T: Kept>(value: &T) -> rusqlite::Result<String> {
    json(&T::Wire::from(value))
}

/// The same of what is the journal's own.
pub(super) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// What was written.
///
/// # Errors
/// The text is no JSON, or says something that no version has written.
pub(super) fn read<T: Kept>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str::<T::Wire>(text).map(Into::into)
}

#[cfg(test)]
mod tests;
