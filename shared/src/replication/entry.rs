//! An entry on the replication topic: one JSON object that asks to replicate one object to one location.
//!
//! ```json
//! {"schema":"highwater.replication.v1","location":"us-east-1","bucket":"my-bucket","key":"a/b.bin",
//!  "version":"9bb58f26192e4ba00f01e2e7b136bbd8","size":5242880,"attempt":1,"queued_at":1700000000000}
//! ```
//! Any program may write one. `location`, `bucket` and `key` are needed. `storage` is whose installation is asked, where several
//! share the topic. `version` is the object's entity tag without
//! quotes; absent, it is the one that the object has when the entry is read. Unknown fields are refused, so that a
//! misspelled one is not passed over.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{operation::Subject, status::Status};
use crate::{ports::records::Message, record::Millis};

/// The name of this format.
pub const SCHEMA: &str = "highwater.replication.v1";
const NAME_BYTES_MAX: usize = 1_024;
const SEGMENT_SUFFIX: &str = crate::chain::keys::SEGMENT_SUFFIX;

/// What an entry asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name of the format. Absent: this one.
    #[serde(default = "schema")]
    pub schema: String,
    /// The location's name.
    pub location: String,
    /// Whose installation is asked, by its storage (`<bucket>/<prefix>`): others on the same topic pass the entry over. Absent:
    /// whoever has a location of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// The bucket that the object is in.
    pub bucket: String,
    /// Its whole key in that bucket.
    pub key: String,
    /// Which version. Absent: the one it has when the entry is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its size in bytes, where the sender knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Which attempt, from 1.
    #[serde(default = "first")]
    pub attempt: u32,
    /// When it was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Millis>,
}

fn schema() -> String {
    SCHEMA.to_owned()
}

fn first() -> u32 {
    1
}

/// Why a message of the topic asks for nothing.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// It has no value.
    #[error("the entry is a tombstone")]
    Tombstone,
    /// It is no JSON object of this format.
    #[error("the entry is not what the replication topic takes ({SCHEMA}): {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is of another format.
    #[error("the entry's schema is {0:?}, and this version reads {SCHEMA:?}")]
    OtherSchema(String),
    /// A field has an impossible value.
    #[error("the entry's {field} {why}")]
    BadValue {
        /// Which.
        field: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

impl Entry {
    /// The entry of an operation, for the installation of that storage.
    #[must_use]
    pub fn of(status: &Status, storage: &str) -> Self {
        let Subject { location, bucket, key, version } = status.subject.clone();
        Entry {
            schema: schema(),
            location,
            storage: Some(storage.to_owned()),
            bucket,
            key,
            version: Some(version),
            size: Some(status.size_bytes),
            attempt: status.attempt,
            queued_at: Some(status.queued_at),
        }
    }

    /// Reads and checks what a message of the topic says.
    ///
    /// # Errors
    /// [`EntryError`]
    pub fn decode(value: Option<&[u8]>) -> Result<Self, EntryError> {
        let entry: Entry = serde_json::from_slice(value.ok_or(EntryError::Tombstone)?)?;
        if entry.schema != SCHEMA {
            return Err(EntryError::OtherSchema(entry.schema));
        }
        match entry.problem() {
            Some((field, why)) => Err(EntryError::BadValue { field, why }),
            None => Ok(entry),
        }
    }

    /// A field that has an impossible value, and what is wrong with it.
    fn problem(&self) -> Option<(&'static str, &'static str)> {
        let version = self.version.as_deref();
        let checks = [
            (self.location.is_empty(), "location", "is empty"),
            (self.bucket.is_empty(), "bucket", "is empty"),
            (self.key.is_empty(), "key", "is empty"),
            (version.is_some_and(str::is_empty), "version", "is empty: leave it out"),
            (version.is_some_and(|it| it.contains([':', '"'])), "version", "has a colon or a quote"),
            (self.attempt == 0, "attempt", "is 0: the first is 1"),
        ];
        let wrong = checks.into_iter().find(|(wrong, ..)| *wrong).map(|(_, field, why)| (field, why));
        let names = [("location", &*self.location), ("bucket", &*self.bucket), ("key", &*self.key)];
        let mut names = names.into_iter().chain(version.map(|version| ("version", version)));
        let mut too_long = || names.find(|(_, name)| name.len() > NAME_BYTES_MAX);
        wrong.or_else(|| too_long().map(|(field, _)| (field, "is longer than 1,024 bytes")))
    }

    /// Whether it asks the installation of that storage for something at that location.
    #[must_use]
    pub fn asks(&self, storage: &str, location: &str) -> bool {
        self.location == location && self.storage.as_deref().is_none_or(|of| of == storage)
    }

    /// The entry as a message. Its key decides the partition, so entries of one key stay in their order: those of a
    /// chain's segments, and those of any other object.
    #[must_use]
    pub fn encode(&self) -> Message {
        let value = serde_json::to_vec(self).expect("an entry is texts and numbers, which is valid JSON");
        Message { key: Some(Bytes::from(self.order())), value: Some(value.into()), ..Message::default() }
    }

    /// What entries stay in order by: the folder of a segment, or the whole key.
    #[must_use]
    pub fn order(&self) -> String {
        let folder = self.key.rsplit_once('/').filter(|_| self.key.ends_with(SEGMENT_SUFFIX));
        format!("{}/{}", self.bucket, folder.map_or(&*self.key, |(folder, _)| folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Entry::decode(Some(text.as_bytes())).unwrap_err().to_string()
    }

    #[test]
    fn the_least_that_an_entry_says_is_location_bucket_and_key() {
        let entry = Entry::decode(Some(br#"{"location":"paris","bucket":"b","key":"a//b/"}"#)).unwrap();
        assert_eq!((&*entry.schema, entry.attempt, entry.version.clone(), entry.size), (SCHEMA, 1, None, None));
        assert_eq!(entry.key, "a//b/");
        assert_eq!(Entry::decode(entry.encode().value.as_deref()).unwrap(), entry);
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_said() {
        let with = |more: &str| format!(r#"{{"location":"paris","bucket":"b","key":"k"{more}}}"#);
        assert_eq!(Entry::decode(None).unwrap_err().to_string(), "the entry is a tombstone");
        assert!(error("null").contains("not what the replication topic takes"));
        assert!(error(r#"{"location":"paris","bucket":"b"}"#).contains("missing field `key`"));
        assert!(error(&with(r#","versoin":"x""#)).contains("unknown field `versoin`"));
        assert!(error(&with(r#","size":-1"#)).contains("invalid value"));
        assert_eq!(error(&with(r#","version":"""#)), "the entry's version is empty: leave it out");
        assert_eq!(error(&with(r#","attempt":0"#)), "the entry's attempt is 0: the first is 1");
        assert!(error(&with(r#","schema":"highwater.replication.v2""#)).contains("this version reads"));
        let long = "k".repeat(1_025);
        assert!(error(&format!(r#"{{"location":"p","bucket":"b","key":"{long}"}}"#)).contains("key is longer"));
    }

    #[test]
    fn the_segments_of_a_chain_stay_in_order_and_other_objects_go_apart() {
        let of = |key: &str| Entry {
            key: key.into(),
            ..Entry::decode(Some(br#"{"location":"p","bucket":"b","key":"k"}"#)).unwrap()
        };
        assert_eq!(of("x/main/orders/1/0/00000000000000000000.kan").order(), "b/x/main/orders/1/0");
        assert_eq!(of("x/main/orders/1/0/00000000000000000408.kan").order(), "b/x/main/orders/1/0");
        assert_eq!(of("x/photo.jpg").order(), "b/x/photo.jpg");
    }
}
