//! The ids in records: a key or value that a serializer of a registry made begins with 0 and 4 bytes of the schema's id.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

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

/// Puts other ids in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdRewriter {
    /// By the id in the backup.
    pub ids: BTreeMap<u32, u32>,
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

impl IdRewriter {
    /// A key or value with the id that its schema has in the other registry.
    #[must_use]
    pub fn rewrite(&self, bytes: Option<&Bytes>) -> Rewritten {
        let Some(bytes) = bytes.filter(|bytes| bytes.len() >= FRAME_BYTES && bytes[0] == 0) else {
            return Rewritten::Unframed;
        };
        let id = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
        let Some(new) = self.ids.get(&id) else { return Rewritten::Unknown(id) };
        let mut changed = BytesMut::from(&bytes[..]);
        changed[1..FRAME_BYTES].copy_from_slice(&new.to_be_bytes());
        Rewritten::Changed(changed.freeze())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rewriter() -> IdRewriter {
        IdRewriter { ids: BTreeMap::from([(7, 1_000_001)]) }
    }

    #[test]
    fn null_short_and_unframed_values_have_no_id() {
        let of = |bytes: Option<&'static [u8]>| rewriter().rewrite(bytes.map(Bytes::from_static).as_ref());
        for bytes in [None, Some(&b""[..]), Some(&[0]), Some(&[0, 0, 0, 0]), Some(b"text"), Some(&[1, 0, 0, 0, 7, 9])] {
            assert_eq!(of(bytes), Rewritten::Unframed, "{bytes:?}");
        }
        assert_eq!(of(Some(&[0, 0, 0, 0, 8])), Rewritten::Unknown(8));
        assert_eq!(of(Some(b"\0text")), Rewritten::Unknown(u32::from_be_bytes(*b"text")));
    }

    proptest! {
        #[test]
        fn only_the_four_bytes_of_the_id_change(payload in prop::collection::vec(any::<u8>(), 0..40)) {
            let framed = [&[0, 0, 0, 0, 7][..], &payload].concat();
            let expected = [&[0][..], &1_000_001_u32.to_be_bytes(), &payload].concat();
            let found = rewriter().rewrite(Some(&Bytes::from(framed)));
            prop_assert_eq!(found, Rewritten::Changed(Bytes::from(expected)));
        }
    }
}
