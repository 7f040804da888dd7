//! What was really produced.

use std::collections::{BTreeMap, BTreeSet};

use shared::record::{Offset, Partition, Record, TopicId};

/// One partition's log as it was produced, whatever Kafka has left of it.
#[derive(Debug, Default, Clone)]
pub struct Log {
    /// Every record that a reader may have seen, by its offset.
    pub visible: BTreeMap<Offset, Record>,
    /// Those of them that compaction took: a backup has them or not.
    pub compacted: BTreeSet<Offset>,
    /// Retention took everything below.
    pub trimmed_to: Offset,
    /// The end of the log.
    pub end: Offset,
    /// What it was each time before it went back.
    pub before: Vec<Log>,
}

/// All logs there ever were.
#[derive(Debug, Default)]
pub struct Model {
    pub logs: BTreeMap<(String, TopicId, Partition), Log>,
}

impl Log {
    /// Forgets everything from `end` on.
    pub fn go_back(&mut self, end: Offset) {
        self.before.push(Log { before: vec![], ..self.clone() });
        drop((self.visible.split_off(&end), self.compacted.split_off(&end)));
        self.end = end;
    }
}

impl Model {
    pub fn log(&mut self, topic: &str, id: &TopicId, partition: Partition) -> &mut Log {
        self.logs.entry((topic.to_owned(), id.clone(), partition)).or_default()
    }
}
