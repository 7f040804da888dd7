//! What a message on the metrics topic says: one JSON object for each location.
//!
//! ```text
//! {"timestamp":1509416671977,"ops":5,"bytes":195,"extension":"crr","type":"queued","site":"us-east-1"}
//! {"timestamp":1530600000000,"bytes":5242880,"extension":"crr","type":"completed","site":"us-east-1",
//!  "bucketName":"b","objectKey":"dir/k","versionId":"3938"}
//! ```
//! Anything may lie on the topic. What is wrong is told by reason and harms nothing else. Wrong types are refused (the
//! original counts the text `"3"` as 1 in one place and as 3 in another).

mod fields;

use serde_json::Value;

use self::fields::{Fields, Parsed};
use super::keys::Object;
use crate::{metrics::standing::EXTENSION, record::Millis};

/// The `extension` of Backbeat's replication metrics.
const CRR: &str = "crr";
/// Counts are exact up to here, for readers that use doubles too.
const COUNT_MAX: u64 = 1 << 53;
/// Longer than any location, bucket, key (1,024 bytes in S3) or version is.
const NAME_BYTES_MAX: usize = 2_048;

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// A change of Backbeat's figures.
    Change(Change),
    /// A message of ours, not looked into.
    Ours(Value),
    /// Nothing for us: another extension, or a change that counts nowhere.
    Skipped,
    /// Not what belongs here.
    Malformed(Malformed),
}

/// Something happened at a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: EventKind,
    /// When the sender says it happened.
    pub timestamp: Option<Millis>,
    /// What is counted.
    pub counts: Counts,
    /// Of which operation it is, where it says so; the original's messages do not.
    pub operation: Option<OperationRef>,
}

/// Which operation a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRef {
    /// Its id.
    pub id: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it was first asked for.
    pub queued_at: Option<Millis>,
    /// Which part of the object, from 1; 0 is the whole of it.
    pub part: u32,
    /// Why an attempt failed, as [`crate::replication::ReasonKind::name`] spells it.
    pub reason: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Replication was asked for.
    Queued,
    /// It is done.
    Completed,
    /// It failed.
    Failed,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counts {
    /// Operations and bytes of a location.
    Site {
        /// The location.
        location: String,
        /// How many operations.
        ops: i64,
        /// Their bytes.
        bytes: i64,
    },
    /// Bytes of an object's version. Only queued and completed count.
    Object {
        /// Which version.
        object: Object,
        /// How many bytes.
        bytes: i64,
    },
}

/// Why a message is counted and passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It has no value.
    #[error("the message is a tombstone")]
    Tombstone,
    /// It is no JSON, or nested more than 127 deep.
    #[error("the message is not JSON")]
    NotJson,
    /// It is JSON's `null`.
    #[error("the message is null")]
    Null,
    /// It is another JSON value.
    #[error("the message is not a JSON object")]
    NotAnObject,
    /// A field has another type.
    #[error("{0} has the wrong type")]
    WrongType(&'static str),
    /// A field is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// There is no site, or an empty one.
    #[error("site is missing")]
    MissingSite,
    /// The type is none of queued, completed, failed.
    #[error("type is none of queued, completed and failed")]
    UnknownType,
    /// A number is negative, fractional or above 2^53, or a name is too long.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A colon in location, bucket or version: the object's key in the store could be another object's.
    #[error("{0} has a colon, so that the object cannot be told from another")]
    Ambiguous(&'static str),
}

impl Malformed {
    /// A short name to count by.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Malformed::Tombstone => "tombstone",
            Malformed::NotJson => "not_json",
            Malformed::Null => "null",
            Malformed::NotAnObject => "not_an_object",
            Malformed::WrongType(_) => "wrong_type",
            Malformed::Missing(_) => "missing_field",
            Malformed::MissingSite => "missing_site",
            Malformed::UnknownType => "unknown_type",
            Malformed::OutOfRange(_) => "out_of_range",
            Malformed::Ambiguous(_) => "ambiguous",
        }
    }
}

/// What a record's value says.
#[must_use]
pub fn decode(value: Option<&[u8]>) -> Decoded {
    parse(value).unwrap_or_else(Decoded::Malformed)
}

fn parse(value: Option<&[u8]>) -> Result<Decoded, Malformed> {
    let text = value.ok_or(Malformed::Tombstone)?;
    // serde_json stops at 128 levels, so no depth of brackets exhausts the stack.
    let message = match serde_json::from_slice(text).map_err(|_| Malformed::NotJson)? {
        Parsed::Object(message) => message,
        Parsed::Null => return Err(Malformed::Null),
        Parsed::Other => return Err(Malformed::NotAnObject),
    };
    match message.text("extension")?.ok_or(Malformed::Missing("extension"))? {
        CRR => change(&message).map(|change| change.map_or(Decoded::Skipped, Decoded::Change)),
        EXTENSION => serde_json::from_slice(text).map(Decoded::Ours).map_err(|_| Malformed::NotJson),
        _ => Ok(Decoded::Skipped),
    }
}

fn change(message: &Fields<'_>) -> Result<Option<Change>, Malformed> {
    let kind = match message.text("type")?.ok_or(Malformed::Missing("type"))? {
        "queued" => EventKind::Queued,
        "completed" => EventKind::Completed,
        "failed" => EventKind::Failed,
        _ => return Err(Malformed::UnknownType),
    };
    let location = location(message)?;
    let timestamp = timestamp(message)?;
    let counts = match object(message, location)? {
        Some(_) if kind == EventKind::Failed => return Ok(None),
        Some(object) => Counts::Object { object, bytes: count(message, "bytes")? },
        None => {
            Counts::Site { location: location.to_owned(), ops: count(message, "ops")?, bytes: count(message, "bytes")? }
        }
    };
    let operation = operation(message)?;
    Ok(Some(Change { kind, timestamp, counts, operation }))
}

/// The operation, if the message names one.
fn operation(message: &Fields<'_>) -> Result<Option<OperationRef>, Malformed> {
    let Some(id) = message.name("operationId")? else { return Ok(None) };
    let small = |field, least: u32, absent: u32| match message.number(field)? {
        None => Ok(absent),
        Some(number) if number.fract() == 0.0 && (f64::from(least)..=f64::from(u32::MAX)).contains(&number) => {
            Ok(number as u32)
        }
        Some(_) => Err(Malformed::OutOfRange(field)),
    };
    let queued_at = message.number("queuedAt")?.map(|milliseconds| Millis(milliseconds as i64));
    let (attempt, part) = (small("attempt", 1, 1)?, small("part", 1, 0)?);
    let reason = message.name("reason")?.map(str::to_owned);
    Ok(Some(OperationRef { id: id.to_owned(), attempt, queued_at, part, reason }))
}

/// A site that ends in `:preferred_read` counts for the part before the first colon.
fn location<'a>(message: &'a Fields<'_>) -> Result<&'a str, Malformed> {
    let site = message.name("site")?.ok_or(Malformed::MissingSite)?;
    let location = if site.ends_with(":preferred_read") { site.split(':').next().unwrap_or_default() } else { site };
    if location.is_empty() { Err(Malformed::MissingSite) } else { Ok(location) }
}

/// The object's version, if the message names all of it.
fn object(message: &Fields<'_>, location: &str) -> Result<Option<Object>, Malformed> {
    let parts = (message.name("bucketName")?, message.name("objectKey")?, message.name("versionId")?);
    let (Some(bucket), Some(key), Some(version_id)) = parts else { return Ok(None) };
    let own = str::to_owned;
    let object = Object { location: own(location), bucket: own(bucket), key: own(key), version_id: own(version_id) };
    object.ambiguous_part().map_or(Ok(Some(object)), |part| Err(Malformed::Ambiguous(part)))
}

/// A whole number from 0 to 2^53; `5.0` is one.
fn count(message: &Fields<'_>, field: &'static str) -> Result<i64, Malformed> {
    let number = message.number(field)?.ok_or(Malformed::Missing(field))?;
    let whole = number.fract() == 0.0 && (0.0..=COUNT_MAX as f64).contains(&number);
    if whole { Ok(number as i64) } else { Err(Malformed::OutOfRange(field)) }
}

/// A time far off is no error: it is judged against the record's.
fn timestamp(message: &Fields<'_>) -> Result<Option<Millis>, Malformed> {
    Ok(message.number("timestamp")?.map(|milliseconds| Millis(milliseconds as i64)))
}

#[cfg(test)]
mod tests;
