//! The chain digest: one SHA-256 over every record since the chain began.
//!
//! ```text
//! h(0)   = SHA-256("highwater-chain-1\n" cluster "\n" topic "\n" topic id "\n" incarnation "\n" partition "\n")
//! h(i+1) = SHA-256(h(i) canonical(record i))
//! ```
//! It goes record by record, so it does not depend on where segments end or how they are compressed, and anyone can
//! recompute it with a SHA-256 at hand. The canonical form of a record, all numbers big-endian:
//!
//! ```text
//! offset i64 | timestamp i64 | timestamp type i32 | key | value | header count u32 | (name | value) a header
//! where key, value, name are: length i32 (-1 for null) | bytes
//! ```

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

use super::identity::ChainIdentity;
use crate::record::Record;

/// The digest of a chain at some point of it. Hex in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainDigest([u8; 32]);

impl ChainDigest {
    /// The digest of an empty chain: it binds the chain to its cluster, topic, incarnation and partition.
    #[must_use]
    pub fn start(identity: &ChainIdentity) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"highwater-chain-1\n");
        for part in [identity.cluster_id.as_str(), &*identity.topic, &*identity.topic_id.0] {
            hasher.update(part.as_bytes());
            hasher.update(b"\n");
        }
        hasher.update(format!("{}\n{}\n", identity.incarnation, identity.partition));
        ChainDigest(hasher.finalize().into())
    }

    /// The digest of one record alone, of whatever chain.
    #[must_use]
    pub fn of_record(record: &Record) -> Self {
        ChainDigest([0; 32]).after(record)
    }

    /// The digest after one more record.
    #[must_use]
    pub fn after(self, record: &Record) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        let mut head = [0_u8; 20];
        head[..8].copy_from_slice(&record.offset.0.to_be_bytes());
        head[8..16].copy_from_slice(&record.timestamp.0.to_be_bytes());
        head[16..].copy_from_slice(&record.timestamp_type.code().to_be_bytes());
        hasher.update(head);
        update_bytes(&mut hasher, record.key.as_ref());
        update_bytes(&mut hasher, record.value.as_ref());
        hasher.update(u32::try_from(record.headers.len()).unwrap_or(u32::MAX).to_be_bytes());
        for header in &record.headers {
            update_bytes(&mut hasher, Some(&header.name));
            update_bytes(&mut hasher, header.value.as_ref());
        }
        ChainDigest(hasher.finalize().into())
    }

    /// The digest after more records, in their order.
    #[must_use]
    pub fn after_all<'a>(self, records: impl IntoIterator<Item = &'a Record>) -> Self {
        records.into_iter().fold(self, ChainDigest::after)
    }
}

fn update_bytes(hasher: &mut Sha256, bytes: Option<&Bytes>) {
    let length = bytes.map_or(-1, |b| i32::try_from(b.len()).unwrap_or(i32::MAX));
    hasher.update(length.to_be_bytes());
    if let Some(bytes) = bytes {
        hasher.update(bytes);
    }
}

impl fmt::Display for ChainDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ChainDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainDigest({self})")
    }
}

impl Serialize for ChainDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChainDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&text, &mut digest)
            .map_err(|e| D::Error::custom(format!("a chain digest is 64 hex digits, not {text:?}: {e}")))?;
        Ok(ChainDigest(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Header, Millis, Offset, TimestampType};

    fn record(offset: i64, key: Option<&'static [u8]>, value: Option<&'static [u8]>) -> Record {
        Record {
            offset: Offset(offset),
            timestamp: Millis(1_700_000_000_000 + offset),
            timestamp_type: TimestampType::CreateTime,
            key: key.map(Bytes::from_static),
            value: value.map(Bytes::from_static),
            headers: vec![],
        }
    }

    #[test]
    fn a_chain_of_known_records_has_the_digest_that_cannot_change_any_more() {
        let mut with_headers = record(7, None, Some(b""));
        with_headers.headers = vec![
            Header { name: Bytes::from_static(b"\xff\xfe"), value: None },
            Header { name: Bytes::from_static(b"a"), value: Some(Bytes::from_static(b"1")) },
        ];
        let start = ChainDigest::start(&ChainIdentity::example());
        let end = start.after_all([&record(0, Some(b"k"), Some(b"v")), &with_headers]);
        assert_eq!(start.to_string(), "98c553dddcf1d72e4d9ebf7c5e157020c63c2edc5bbb23e5d5b2df7ff639068f");
        assert_eq!(end.to_string(), "d50ebdd5997691d1b87f9ddd3878f0e7559524cb790c94a8a8515c03823ad000");
    }

    #[test]
    fn null_and_empty_differ_and_so_does_the_order_of_headers() {
        let start = ChainDigest::start(&ChainIdentity::example());
        assert_ne!(start.after(&record(0, None, None)), start.after(&record(0, Some(b""), None)));
        assert_ne!(start.after(&record(0, None, None)), start.after(&record(0, None, Some(b""))));
        let header = |name: &'static [u8]| Header { name: Bytes::from_static(name), value: None };
        let mut one = record(0, None, None);
        one.headers = vec![header(b"a"), header(b"b")];
        let mut other = one.clone();
        other.headers.reverse();
        assert_ne!(start.after(&one), start.after(&other));
    }
}
