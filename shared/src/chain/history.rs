//! Whether a log still holds the history that a chain ends with.
//!
//! A log can go back: after an unclean leader election, or when a broker's disk is restored from a snapshot, records are
//! gone that are stored already, and others may take their offsets. The topic keeps its id. So each segment keeps what
//! tells the last record that was read for it ([`LastRead`]). Whoever goes on reads that record again first, and compares.

use serde::{Deserialize, Serialize};

use super::ChainDigest;
use crate::record::{Offset, Record};

/// The last record that was read for a segment, whether the filter kept it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRead {
    /// Its offset.
    pub offset: Offset,
    /// The leader epoch under which it was written; absent where Kafka did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_epoch: Option<i32>,
    /// The digest of the record alone.
    pub digest: ChainDigest,
}

/// What the log says about a record that was read from it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// It is there: everything before it is the same log too.
    Same,
    /// It is not there, and may have been compacted away: nothing can be told.
    Unknown,
    /// Another record is in its place, or an earlier leader's comes after it: the log is not the one that was read.
    Other,
}

impl LastRead {
    /// What tells this record.
    #[must_use]
    pub fn of(record: &Record, leader_epoch: Option<i32>) -> Self {
        LastRead { offset: record.offset, leader_epoch, digest: ChainDigest::of_record(record) }
    }

    /// Compares with the first record that the log has at its offset or after it. Leaders' epochs only grow along a log,
    /// and each has one history: so a record of the same epoch comes from the same one.
    #[must_use]
    pub fn compare(&self, first: &Record, leader_epoch: Option<i32>) -> History {
        let epochs = self.leader_epoch.zip(leader_epoch);
        if first.offset == self.offset {
            let is_same = self.digest == ChainDigest::of_record(first) && epochs.is_none_or(|(then, now)| then == now);
            return if is_same { History::Same } else { History::Other };
        }
        match epochs {
            Some((then, now)) if now < then => History::Other,
            Some((then, now)) if now == then => History::Same,
            _ => History::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Millis, TimestampType};

    fn record(offset: i64, value: &'static str) -> Record {
        Record {
            offset: Offset(offset),
            timestamp: Millis(1),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some(value.into()),
            headers: vec![],
        }
    }

    #[test]
    fn a_record_is_the_same_where_bytes_and_epoch_are() {
        let last = LastRead::of(&record(7, "a"), Some(3));
        let compare = |offset, value, epoch| last.compare(&record(offset, value), epoch);
        assert_eq!(compare(7, "a", Some(3)), History::Same);
        assert_eq!(compare(7, "a", None), History::Same, "a broker that tells no epoch");
        assert_eq!(compare(7, "b", Some(3)), History::Other, "a restored disk can give the same epoch again");
        assert_eq!(compare(7, "a", Some(4)), History::Other, "written again by another leader");
    }

    #[test]
    fn where_the_record_is_gone_the_epoch_of_the_next_one_tells_or_nothing_does() {
        let last = LastRead::of(&record(7, "a"), Some(3));
        let compare = |epoch| last.compare(&record(9, "a"), epoch);
        assert_eq!(compare(Some(3)), History::Same);
        assert_eq!(compare(Some(2)), History::Other);
        assert_eq!([compare(Some(4)), compare(None)], [History::Unknown, History::Unknown]);
    }
}
