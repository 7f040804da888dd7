//! The ids in records: a key or value that a serializer of a registry made begins with 0 and 4 bytes of the schema's id.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::snapshot::sha256;
use crate::{record::Record, restore::progress::IdCounts};

/// The first byte, and the id.
const FRAME_BYTES: usize = 5;

/// Which id became which in another registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// The version of the format.
    pub format_version: u32,
    /// By the id in the backup.
    pub ids: BTreeMap<u32, u32>,
}

/// What becomes of a record with an id that is in no map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// The restore stops there.
    #[default]
    Fail,
    /// It is restored as it is.
    Keep,
    /// It is left out.
    Drop,
}

/// What a restore is told of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaIds {
    /// The name under which `highwater schemas restore --map-ids` kept which id became which.
    pub map: String,
    /// The registry that was backed up, by its name in the storage.
    #[serde(default = "registry")]
    pub registry: String,
    /// What becomes of records with an id that is in no map.
    #[serde(default)]
    pub unknown: Unknown,
    /// The source topics that have ids in their records, and where. No other topic is touched.
    pub topics: BTreeMap<String, BTreeSet<Side>>,
}

fn registry() -> String {
    "default".to_owned()
}

/// Where an id may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// In keys.
    Key,
    /// In values.
    Value,
}

/// The ids that are put into the records of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TopicIds {
    /// By the id in the backup.
    pub ids: BTreeMap<u32, u32>,
    /// Where.
    pub sides: BTreeSet<Side>,
    /// What becomes of records with an id that is in no map.
    pub unknown: Unknown,
}

/// What became of a key or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewritten {
    /// Null, too short, or it does not begin with 0: it has no id.
    Unframed,
    /// With its new id.
    Changed(Bytes),
    /// Its id is in no map.
    Unknown(u32),
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapped {
    /// It is restored.
    Kept(IdCounts),
    /// It is left out.
    Dropped(IdCounts),
}

/// An id that is in no map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownId {
    /// The id.
    pub id: u32,
    /// Where it was.
    pub side: Side,
}

impl TopicIds {
    /// Puts the ids into a record.
    ///
    /// # Errors
    /// When it has an id that is in no map, and the restore is to stop there. The record is then as it was.
    pub fn apply(&self, record: &mut Record) -> Result<Mapped, UnknownId> {
        let mut counts = IdCounts::default();
        let (mut key, mut value) = (record.key.clone(), record.value.clone());
        for side in &self.sides {
            let bytes = if *side == Side::Key { &mut key } else { &mut value };
            match (rewrite(&self.ids, bytes.as_ref()), self.unknown) {
                (Rewritten::Unframed, _) => counts.without += 1,
                (Rewritten::Changed(changed), _) => {
                    counts.rewritten += 1;
                    *bytes = Some(changed);
                }
                (Rewritten::Unknown(id), Unknown::Fail) => return Err(UnknownId { id, side: *side }),
                (Rewritten::Unknown(_), Unknown::Keep) => counts.kept += 1,
                (Rewritten::Unknown(_), Unknown::Drop) => {
                    return Ok(Mapped::Dropped(IdCounts { dropped: 1, ..IdCounts::default() }));
                }
            }
        }
        (record.key, record.value) = (key, value);
        Ok(Mapped::Kept(counts))
    }

    /// Tells one from another: a restore goes on with the same only.
    ///
    /// # Panics
    /// Never: numbers and words are JSON.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        sha256(&serde_json::to_vec(self).expect("numbers and words are JSON"))
    }
}

/// A key or value with the id that its schema has in the other registry.
fn rewrite(ids: &BTreeMap<u32, u32>, bytes: Option<&Bytes>) -> Rewritten {
    let Some(bytes) = bytes.filter(|bytes| bytes.len() >= FRAME_BYTES && bytes[0] == 0) else {
        return Rewritten::Unframed;
    };
    let id = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
    let Some(new) = ids.get(&id) else { return Rewritten::Unknown(id) };
    let mut changed = BytesMut::from(&bytes[..]);
    changed[1..FRAME_BYTES].copy_from_slice(&new.to_be_bytes());
    Rewritten::Changed(changed.freeze())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Millis, Offset, TimestampType};

    fn ids() -> BTreeMap<u32, u32> {
        BTreeMap::from([(7, 1_000_001)])
    }

    #[test]
    fn null_short_and_unframed_values_have_no_id() {
        let of = |bytes: Option<&'static [u8]>| rewrite(&ids(), bytes.map(Bytes::from_static).as_ref());
        for bytes in [None, Some(&b""[..]), Some(&[0]), Some(&[0, 0, 0, 0]), Some(b"text"), Some(&[1, 0, 0, 0, 7, 9])] {
            assert_eq!(of(bytes), Rewritten::Unframed, "{bytes:?}");
        }
        assert_eq!(of(Some(&[0, 0, 0, 0, 8])), Rewritten::Unknown(8));
        assert_eq!(of(Some(b"\0text")), Rewritten::Unknown(u32::from_be_bytes(*b"text")));
    }

    fn record(key: &'static [u8], value: &'static [u8]) -> Record {
        Record {
            offset: Offset(0),
            timestamp: Millis(0),
            timestamp_type: TimestampType::CreateTime,
            key: Some(Bytes::from_static(key)),
            value: Some(Bytes::from_static(value)),
            headers: vec![],
        }
    }

    #[test]
    fn only_the_sides_that_are_named_are_touched_and_an_unknown_id_fails_stays_or_is_left_out() {
        let of = |sides: &[Side], unknown| TopicIds { ids: ids(), sides: sides.iter().copied().collect(), unknown };
        let framed = || record(b"\0\0\0\0\x07k", b"\0\0\0\0\x07v");
        let mut value_only = framed();
        let counts = IdCounts { rewritten: 1, ..IdCounts::default() };
        assert_eq!(of(&[Side::Value], Unknown::Fail).apply(&mut value_only), Ok(Mapped::Kept(counts)));
        assert_eq!((value_only.key, value_only.value.unwrap()[4]), (framed().key, 65));
        let unknown = || record(b"\0\0\0\0\x07k", b"\0\0\0\0\x09v");
        let both = [Side::Key, Side::Value];
        let mut failed = unknown();
        assert_eq!(of(&both, Unknown::Fail).apply(&mut failed), Err(UnknownId { id: 9, side: Side::Value }));
        assert_eq!(failed, unknown());
        let counts = IdCounts { rewritten: 1, kept: 1, ..IdCounts::default() };
        assert_eq!(of(&both, Unknown::Keep).apply(&mut unknown()), Ok(Mapped::Kept(counts)));
        let counts = IdCounts { dropped: 1, ..IdCounts::default() };
        assert_eq!(of(&both, Unknown::Drop).apply(&mut unknown()), Ok(Mapped::Dropped(counts)));
    }

    proptest! {
        #[test]
        fn only_the_four_bytes_of_the_id_change(payload in prop::collection::vec(any::<u8>(), 0..40)) {
            let framed = [&[0, 0, 0, 0, 7][..], &payload].concat();
            let expected = [&[0][..], &1_000_001_u32.to_be_bytes(), &payload].concat();
            let found = rewrite(&ids(), Some(&Bytes::from(framed)));
            prop_assert_eq!(found, Rewritten::Changed(Bytes::from(expected)));
        }
    }
}
