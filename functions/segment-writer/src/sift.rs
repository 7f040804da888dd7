//! What the filter leaves of the records that were read. What it left out belongs to the range all the same.

use std::sync::Arc;

use shared::{
    chain::LastRead,
    record::{
        Offset, Record, TopicPartition,
        filter::{Filter, Undecided},
    },
    segment::Gap,
};

use crate::blocking;

/// Records after the filter, ascending.
#[derive(Debug, Default)]
pub(crate) struct Sifted {
    /// What is kept.
    pub records: Vec<Record>,
    filtered: Vec<Offset>,
    failed: Vec<(Offset, Undecided)>,
    /// The offset after the last one that was read.
    next: Offset,
    /// The last one that was read.
    last_read: Option<LastRead>,
    leader_epoch: Option<i32>,
}

/// A part of them that goes into one segment.
#[derive(Debug)]
pub(crate) struct Batch {
    pub records: Vec<Record>,
    /// How many the filter left out.
    pub filtered: u64,
    /// Those that it could not judge, which are kept.
    pub failed: Vec<(Offset, Undecided)>,
    /// The offset after it.
    pub next: Offset,
    /// The last record that was read for it.
    pub last_read: Option<LastRead>,
}

impl Sifted {
    /// Judges records as they were read from the log, of one leader epoch.
    pub async fn of(
        filter: Option<&Arc<Filter>>,
        at: &TopicPartition,
        records: Vec<Record>,
        leader_epoch: Option<i32>,
    ) -> Self {
        let next = records.last().map_or(Offset(0), |record| record.offset.next());
        let last_read = records.last().map(|record| LastRead::of(record, leader_epoch));
        let read = Sifted { next, last_read, leader_epoch, ..Sifted::default() };
        let Some(filter) = filter else { return Sifted { records, ..read } };
        let bytes: u64 = records.iter().map(Record::size_bytes).sum();
        let (filter, at) = (filter.clone(), at.clone());
        blocking::run(bytes, move || sift(&filter, &at, records, read)).await
    }

    /// Takes the first `count` of what is kept, and what was left out before their end; with the last of them, all.
    pub fn split(&mut self, count: usize) -> Batch {
        let rest = self.records.split_off(count);
        let records = std::mem::replace(&mut self.records, rest);
        let (next, last_read) = match records.last() {
            _ if self.records.is_empty() => (self.next, self.last_read),
            Some(last) => (last.offset.next(), Some(LastRead::of(last, self.leader_epoch))),
            None => (Offset(0), None),
        };
        let later = self.filtered.split_off(self.filtered.partition_point(|offset| *offset < next));
        let filtered = std::mem::replace(&mut self.filtered, later).len() as u64;
        let later = self.failed.split_off(self.failed.partition_point(|(offset, _)| *offset < next));
        let failed = std::mem::replace(&mut self.failed, later);
        Batch { records, filtered, failed, next, last_read }
    }
}

impl Batch {
    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.filtered == 0
    }

    /// Takes the gaps that lie before its end.
    pub fn gaps(&self, gaps: &mut Vec<Gap>) -> Vec<Gap> {
        let later = gaps.split_off(gaps.partition_point(|gap| gap.to < self.next));
        std::mem::replace(gaps, later)
    }
}

fn sift(filter: &Filter, at: &TopicPartition, records: Vec<Record>, mut sifted: Sifted) -> Sifted {
    for record in records {
        match filter.keeps(at, &record) {
            Ok(true) => sifted.records.push(record),
            Ok(false) => sifted.filtered.push(record.offset),
            Err(why) => {
                sifted.failed.push((record.offset, why));
                sifted.records.push(record);
            }
        }
    }
    sifted
}
