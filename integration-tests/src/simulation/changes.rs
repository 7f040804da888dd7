//! Backbeat's messages on the metrics topic, and what they must count to: written from the formulas, not from the code
//! that counts.

use std::{collections::BTreeMap, ops::AddAssign};

use bytes::Bytes;
use rand::{RngExt, rngs::StdRng};
use shared::{
    adapters::memory::kafka::Transaction,
    ports::clock::Clock as _,
    record::{Millis, Offset, Partition, Record, TimestampType, TopicPartition},
};

use super::world::{METRICS_PARTITIONS, METRICS_TOPIC, World};

pub const LOCATIONS: [&str; 2] = ["site1", "site2"];
const INTERVAL_MS: i64 = 300_000;
const WINDOW_MS: i64 = 900_000;

/// What was sent, and from where on the store counted it.
#[derive(Default)]
pub struct Changes {
    /// Committed messages.
    sent: Vec<Message>,
    open: Option<(Transaction, Vec<Message>)>,
}

/// A message of Backbeat's.
#[derive(Debug, Clone, Copy)]
struct Message {
    partition: Partition,
    offset: Offset,
    recorded: Millis,
    says: Says,
}

#[derive(Debug, Clone, Copy)]
enum Says {
    Happened {
        location: usize,
        kind: Kind,
        count: Count,
        at: Millis,
    },
    /// No value at all.
    Tombstone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Queued,
    Completed,
    Failed,
}

/// Operations and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub ops: i64,
    pub bytes: i64,
}

/// What a location's route must show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub pending: Count,
    pub completions: Count,
    pub failures: Count,
}

/// The offsets that are counted, of each partition: from, and up to.
pub type Counted = BTreeMap<Partition, (Offset, Offset)>;

impl Changes {
    /// What must be shown at `now` for a location, or for all of them.
    pub fn figures(&self, counted: &Counted, location: Option<usize>, now: Millis) -> Figures {
        let mut figures = Figures::default();
        for message in self.counted(counted) {
            let Says::Happened { location: of, kind, count, at } = message.says else { continue };
            if location.is_some_and(|wanted| wanted != of) {
                continue;
            }
            figures.pending += if kind == Kind::Queued { count } else { count.negative() };
            if !message.is_in_window(at, now) {
                continue;
            }
            match kind {
                Kind::Queued => {}
                Kind::Completed => figures.completions += count,
                Kind::Failed => figures.failures += count,
            }
        }
        figures
    }

    /// How many messages without a value were passed over.
    pub fn tombstones(&self, counted: &Counted) -> usize {
        self.counted(counted).filter(|message| matches!(message.says, Says::Tombstone)).count()
    }

    fn counted<'a>(&'a self, counted: &'a Counted) -> impl Iterator<Item = &'a Message> {
        let is_counted = |message: &&Message| {
            counted.get(&message.partition).is_some_and(|(from, to)| (*from..*to).contains(&message.offset))
        };
        self.sent.iter().filter(is_counted)
    }
}

impl Message {
    /// Whether it counts in one of the intervals that completions and failures are the sums of.
    fn is_in_window(&self, at: Millis, now: Millis) -> bool {
        let at = if at.0 > self.recorded.0 + INTERVAL_MS { self.recorded } else { at };
        let interval = at.0 - at.0 % INTERVAL_MS;
        let too_old = interval + WINDOW_MS + INTERVAL_MS <= self.recorded.0;
        let current = now.0 - now.0 % INTERVAL_MS;
        !too_old && interval <= current && interval > current - WINDOW_MS
    }

    fn value(&self) -> Option<Bytes> {
        let Says::Happened { location, kind, count: Count { ops, bytes }, at } = self.says else { return None };
        let (site, kind) = (LOCATIONS[location], kind.name());
        let text = format!(
            r#"{{"timestamp":{at},"ops":{ops},"bytes":{bytes},"extension":"crr","type":"{kind}","site":"{site}"}}"#
        );
        Some(text.into())
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Queued => "queued",
            Kind::Completed => "completed",
            Kind::Failed => "failed",
        }
    }
}

impl Count {
    fn negative(self) -> Count {
        Count { ops: -self.ops, bytes: -self.bytes }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.ops += other.ops;
        self.bytes += other.bytes;
    }
}

/// Sends a few messages, in or out of a transaction, with offsets between them that hold none.
pub fn send(world: &World, rng: &mut StdRng) {
    end_transaction(world, rng.random_bool(0.7));
    let partition = TopicPartition::new(METRICS_TOPIC, rng.random_range(0..METRICS_PARTITIONS));
    let transaction = rng.random_bool(0.15).then(|| world.kafka.begin());
    let mut messages = vec![];
    for _ in 0..rng.random_range(1..12) {
        if rng.random_bool(0.05) {
            world.kafka.skip(&partition, rng.random_range(1..4));
        }
        let (recorded, says) = (world.clock.now(), says(world.clock.now(), rng));
        let mut message = Message { partition: partition.partition, offset: Offset(0), recorded, says };
        let record = Record {
            offset: Offset(0),
            timestamp: recorded,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: message.value(),
            headers: vec![],
        };
        message.offset = match transaction {
            Some(transaction) => world.kafka.append_in(transaction, &partition, record),
            None => world.kafka.append(&partition, record),
        };
        messages.push(message);
    }
    match transaction {
        Some(transaction) => world.changes().open = Some((transaction, messages)),
        None => world.changes().sent.extend(messages),
    }
}

fn says(now: Millis, rng: &mut StdRng) -> Says {
    let kind = match rng.random_range(0..10) {
        0..5 => Kind::Queued,
        5..8 => Kind::Completed,
        8 => Kind::Failed,
        _ => return Says::Tombstone,
    };
    let ops = rng.random_range(0..5);
    let count = Count { ops, bytes: ops * rng.random_range(1..1_000) };
    // Now, of one of the latest intervals, too old, or ahead.
    let at = match rng.random_range(0..10) {
        0..6 => now.0,
        6..8 => now.0 - rng.random_range(0..WINDOW_MS),
        8 => now.0 - rng.random_range(0..4 * WINDOW_MS),
        _ => now.0 + rng.random_range(0..3 * INTERVAL_MS),
    };
    Says::Happened { location: rng.random_range(0..LOCATIONS.len()), kind, count, at: Millis(at) }
}

/// Ends the transaction that is open, if one is.
pub fn end_transaction(world: &World, commit: bool) {
    let Some((transaction, messages)) = world.changes().open.take() else { return };
    if commit {
        world.kafka.commit_transaction(transaction);
        world.changes().sent.extend(messages);
    } else {
        world.kafka.abort_transaction(transaction);
    }
}
