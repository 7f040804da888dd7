//! Where Kafka's Java client puts a record, so that a key keeps its partition when producers go on.

use crate::record::{Partition, Record};

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;
const SHIFT: u32 = 24;

/// The partition of a record among `partitions`, as the Java client's default partitioner has it; a record without a key keeps
/// its own, as far as there are so many.
#[must_use]
pub fn partition(record: &Record, source: Partition, partitions: i32) -> Partition {
    let count = partitions.max(1);
    match &record.key {
        Some(key) => Partition((murmur2(key) & 0x7fff_ffff).cast_signed() % count),
        None => Partition(source.0 % count),
    }
}

/// Murmur2, 32 bits, as the Java client has it.
fn murmur2(data: &[u8]) -> u32 {
    // A key is shorter than 2 GiB in Kafka.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let words = data.chunks_exact(4);
    let rest = words.remainder();
    let mut hash = words.fold(SEED ^ length, |hash, word| {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(MULTIPLIER);
        let word = (word ^ (word >> SHIFT)).wrapping_mul(MULTIPLIER);
        hash.wrapping_mul(MULTIPLIER) ^ word
    });
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0_u32, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::record::{Millis, Offset, TimestampType};

    /// The hashes that Kafka's own tests expect of its client.
    #[test]
    fn hashes_are_those_of_the_java_client() {
        let known = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_record_without_a_key_keeps_its_partition_and_an_empty_key_is_a_key() {
        let record = |key: Option<&'static str>| Record {
            offset: Offset(0),
            timestamp: Millis(1),
            timestamp_type: TimestampType::CreateTime,
            key: key.map(Bytes::from),
            value: None,
            headers: vec![],
        };
        assert_eq!(partition(&record(None), Partition(5), 8), Partition(5));
        assert_eq!(partition(&record(None), Partition(9), 8), Partition(1));
        let of_empty = partition(&record(Some("")), Partition(5), 8);
        assert_eq!(of_empty, partition(&record(Some("")), Partition(2), 8));
    }
}
