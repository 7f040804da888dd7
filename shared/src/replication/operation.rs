//! What is replicated, and what it is called.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ports::objects::ETag;

/// One version of one object that goes to one location.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The location's name.
    pub location: String,
    /// The bucket that the object is in.
    pub bucket: String,
    /// Its whole key in that bucket.
    pub key: String,
    /// Which version: the object's entity tag without quotes.
    pub version: String,
}

impl Subject {
    /// The operation's id.
    #[must_use]
    pub fn id(&self) -> OperationId {
        OperationId::of([&self.location, &self.bucket, &self.key, &self.version])
    }
}

/// The version of an object that has this entity tag.
#[must_use]
pub fn version_of(etag: &ETag) -> String {
    etag.0.trim_start_matches("W/").trim_matches('"').to_owned()
}

/// An operation's id: the first 16 bytes of a SHA-256 over location, bucket, key and version, as 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperationId(String);

const ID_BYTES: usize = 16;

impl OperationId {
    /// Each part goes in behind its length, so that no two lists of parts have the same bytes.
    fn of(parts: [&str; 4]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        OperationId(hex::encode(&hash.finalize()[..ID_BYTES]))
    }

    /// A number from 0 to 1 that differs from id to id.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        let digits = self.0.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
        f64::from(digits.unwrap_or_default()) / f64::from(u16::MAX)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OperationId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 2 * ID_BYTES && text.bytes().all(digit) {
            return Ok(OperationId(text));
        }
        Err(format!("{text:?} is no operation's id: it has {} hexadecimal digits in lower case", 2 * ID_BYTES))
    }
}

impl From<OperationId> for String {
    fn from(id: OperationId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(parts: [&str; 4]) -> Subject {
        let [location, bucket, key, version] = parts.map(str::to_owned);
        Subject { location, bucket, key, version }
    }

    #[test]
    fn an_id_depends_on_every_part_and_on_where_one_ends() {
        let ids: std::collections::BTreeSet<_> = [
            ["l", "b", "k", "v"],
            ["m", "b", "k", "v"],
            ["l", "c", "k", "v"],
            ["l", "b", "l", "v"],
            ["l", "b", "k", "w"],
            ["l", "bk", "", "v"],
            ["lb", "", "k", "v"],
            ["l", "b", "kv", ""],
        ]
        .map(|parts| subject(parts).id())
        .into();
        assert_eq!(ids.len(), 8);
    }

    #[test]
    fn an_id_cannot_move() {
        let id = subject(["us-east-1", "b", "backups/main/orders/1/0/00000000000000000000.kan", "0cc1"]).id();
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(OperationId::try_from(id.to_string()), Ok(id));
        assert!(OperationId::try_from("x".repeat(32)).is_err() && OperationId::try_from("0".repeat(31)).is_err());
    }

    #[test]
    fn a_version_is_a_tag_without_quotes() {
        assert_eq!(version_of(&ETag("\"0cc175b9-2\"".into())), "0cc175b9-2");
        assert_eq!(version_of(&ETag("W/\"a\"".into())), "a");
    }
}
