//! One partition's log: offsets that exist, offsets that do not, and transactions that are still open.

use std::collections::BTreeMap;

use crate::{
    ports::records::LogBounds,
    record::{Offset, Record},
};

/// Names one transaction of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TransactionId(pub(super) u64);

/// A partition's log.
#[derive(Debug, Default)]
pub(super) struct PartitionLog {
    start: i64,
    end: i64,
    entries: BTreeMap<i64, Entry>,
    /// Open transactions and the first offset of each.
    open: BTreeMap<TransactionId, i64>,
    leader_epoch: i32,
    /// Where each leader but the first began to write.
    elected_at: Vec<(i32, i64)>,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    transaction: Option<TransactionId>,
    leader_epoch: i32,
}

/// What a read at an offset finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Records of one leader epoch, and where the next read goes on. Empty when everything up to there does not exist.
    Records { records: Vec<Record>, position: i64, leader_epoch: i32 },
    /// The offset is the last stable one.
    End,
    /// The offset is in the log, but beyond what is stable.
    NotYet,
    /// The offset is below the log's start or above its end.
    OutOfRange,
}

impl PartitionLog {
    /// Appends a record, whatever offset it says, and answers the one it got.
    pub(super) fn append(&mut self, mut record: Record, transaction: Option<TransactionId>) -> Offset {
        let offset = self.skip(1);
        record.offset = offset;
        if let Some(id) = transaction {
            self.open.entry(id).or_insert(offset.0);
        }
        self.entries.insert(offset.0, Entry { record, transaction, leader_epoch: self.leader_epoch });
        offset
    }

    /// Leaves `count` offsets that hold no record; answers the first.
    pub(super) fn skip(&mut self, count: i64) -> Offset {
        let offset = Offset(self.end);
        self.end += count;
        offset
    }

    /// Ends a transaction: its marker takes an offset. Aborted records are gone.
    pub(super) fn end_transaction(&mut self, id: TransactionId, commit: bool) {
        if self.open.remove(&id).is_none() {
            return;
        }
        if !commit {
            self.entries.retain(|_, entry| entry.transaction != Some(id));
        }
        self.skip(1);
    }

    /// Removes a record, as compaction does: its offset exists no more.
    pub(super) fn compact(&mut self, offset: Offset) {
        self.entries.remove(&offset.0);
    }

    /// Moves the log's start, as retention does; never back, never past the end.
    pub(super) fn trim(&mut self, start: Offset) {
        self.start = start.0.clamp(self.start, self.end);
        self.entries = self.entries.split_off(&self.start);
    }

    /// Takes away everything from `end` on, as an unclean election or a restored disk does; a new leader writes what comes
    /// after it. Transactions that were open there are forgotten.
    pub(super) fn go_back(&mut self, end: Offset) {
        self.restore(end);
        self.elect();
    }

    /// The same where the whole cluster is restored, and gives the same leader epochs again.
    pub(super) fn restore(&mut self, end: Offset) {
        self.end = self.end.min(end.0);
        self.start = self.start.min(self.end);
        drop(self.entries.split_off(&self.end));
        self.open.retain(|_, first| *first < end.0);
        self.elected_at.retain(|(_, at)| *at < end.0);
    }

    /// Another leader writes from now on.
    pub(super) fn elect(&mut self) {
        self.leader_epoch += 1;
        self.elected_at.push((self.leader_epoch, self.end));
    }

    /// The leader epoch of what comes right before an offset, whether a record is there or not.
    pub(super) fn epoch_before(&self, offset: i64) -> i32 {
        self.elected_at.iter().rfind(|(_, at)| *at < offset).map_or(0, |(epoch, _)| *epoch)
    }

    /// Where what was written under this leader epoch, or an earlier one, ends.
    pub(super) fn end_of(&self, leader_epoch: i32) -> i64 {
        let later = self.elected_at.iter().find(|(epoch, _)| *epoch > leader_epoch);
        later.map_or(self.end, |(_, at)| *at)
    }

    pub(super) fn bounds(&self) -> LogBounds {
        LogBounds {
            start: Offset(self.start),
            stable_end: Offset(self.stable_end()),
            high_watermark: Offset(self.end),
            leader_epoch: Some(self.leader_epoch),
        }
    }

    /// Reads at most `records_max` committed records from `from` on.
    pub(super) fn read(&self, from: i64, records_max: usize) -> Read {
        let stable_end = self.stable_end();
        if from < self.start || from > self.end {
            return Read::OutOfRange;
        }
        if from >= stable_end {
            return if from == stable_end { Read::End } else { Read::NotYet };
        }
        let mut entries = self.entries.range(from..stable_end).map(|(_, entry)| entry).peekable();
        let leader_epoch = entries.peek().map_or(self.leader_epoch, |entry| entry.leader_epoch);
        let mut records: Vec<Record> = vec![];
        while let Some(entry) = entries.next_if(|it| it.leader_epoch == leader_epoch && records.len() < records_max) {
            records.push(entry.record.clone());
        }
        let position = match (entries.peek(), records.last()) {
            (Some(_), Some(last)) => last.offset.next().0,
            _ => stable_end,
        };
        Read::Records { records, position, leader_epoch }
    }

    fn stable_end(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.end).max(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Millis, TimestampType};

    fn record() -> Record {
        Record {
            offset: Offset(-1),
            timestamp: Millis(1),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: vec![],
        }
    }

    fn offsets(read: Read) -> Vec<i64> {
        match read {
            Read::Records { records, .. } => records.iter().map(|r| r.offset.0).collect(),
            other => panic!("no records but {other:?}"),
        }
    }

    #[test]
    fn an_open_transaction_holds_the_last_stable_offset_until_its_marker() {
        let mut log = PartitionLog::default();
        log.append(record(), None);
        log.append(record(), Some(TransactionId(1)));
        log.append(record(), None);
        assert_eq!(log.bounds().stable_end, Offset(1));
        assert_eq!(log.bounds().high_watermark, Offset(3));
        assert_eq!(log.read(1, 9), Read::End);
        assert_eq!(log.read(2, 9), Read::NotYet);
        log.end_transaction(TransactionId(1), true);
        assert_eq!(log.bounds().stable_end, Offset(4));
        assert_eq!(offsets(log.read(0, 9)), [0, 1, 2]);
    }

    #[test]
    fn aborted_records_are_passed_over() {
        let mut log = PartitionLog::default();
        log.append(record(), Some(TransactionId(1)));
        log.append(record(), None);
        log.end_transaction(TransactionId(1), false);
        assert_eq!(offsets(log.read(0, 9)), [1]);
    }

    #[test]
    fn a_read_past_a_compacted_tail_ends_at_the_end_of_the_log() {
        let mut log = PartitionLog::default();
        for _ in 0..3 {
            log.append(record(), None);
        }
        log.compact(Offset(1));
        log.compact(Offset(2));
        assert_eq!(log.read(1, 9), Read::Records { records: vec![], position: 3, leader_epoch: 0 });
        assert_eq!(log.read(3, 9), Read::End);
    }

    #[test]
    fn trimming_moves_the_start_only_forward() {
        let mut log = PartitionLog::default();
        for _ in 0..3 {
            log.append(record(), None);
        }
        log.trim(Offset(2));
        log.trim(Offset(1));
        assert_eq!(log.bounds().start, Offset(2));
        assert_eq!(log.read(1, 9), Read::OutOfRange);
        assert_eq!(log.read(4, 9), Read::OutOfRange);
        log.trim(Offset(9));
        assert_eq!(log.bounds().start, Offset(3));
    }

    #[test]
    fn a_log_that_went_back_gives_its_offsets_again_under_another_leader() {
        let mut log = PartitionLog::default();
        for _ in 0..3 {
            log.append(record(), None);
        }
        log.go_back(Offset(1));
        assert_eq!((log.bounds().high_watermark, log.read(2, 9)), (Offset(1), Read::OutOfRange));
        assert_eq!(log.append(record(), None), Offset(1));
        assert!(matches!(log.read(0, 9), Read::Records { position: 1, leader_epoch: 0, .. }));
        assert!(matches!(log.read(1, 9), Read::Records { position: 2, leader_epoch: 1, .. }));
    }

    #[test]
    fn a_read_takes_no_more_than_asked() {
        let mut log = PartitionLog::default();
        for _ in 0..3 {
            log.append(record(), None);
        }
        assert!(matches!(log.read(0, 2), Read::Records { position: 2, .. }));
    }
}
