//! What running processes say of themselves: requests to the storage, and memory. Of no backup, since a process may work
//! on several; kept in the store by process, with an expiry. Memory is shown as a sum over the live ones. What is counted is shown
//! by process: a sum would fall when one ends, and readers would take that for a new beginning.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    registers::names::{join, split},
    standing::Process,
};
use crate::{
    chain::totals::is_zero,
    ports::{
        objects::{ErrorKind, Operation as Request},
        store::{Operation, Register},
    },
    record::Millis,
};

/// The hash that holds them: by process; order its time.
pub const KEY: &str = "hw1:processes";

/// What a register of a process holds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProcessValue {
    memory_used_bytes: u64,
    memory_limit_bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    publish_failures: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    messages_dropped: u64,
    #[serde(default)]
    requests: BTreeMap<Request, u64>,
    #[serde(default)]
    errors: BTreeMap<Request, BTreeMap<ErrorKind, u64>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    missing_topics: BTreeMap<String, Vec<String>>,
    expires: Millis,
}

/// The live processes together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Processes {
    /// How many there are.
    pub count: u32,
    /// Memory in use for records and unfinished segments.
    pub memory_used_bytes: u64,
    /// How much of it may be in use.
    pub memory_limit_bytes: u64,
    /// What each has counted since it started, by its name.
    pub counts: BTreeMap<String, Counts>,
    /// Topics that backups name and Kafka does not have: backup and topic.
    pub missing_topics: BTreeSet<(String, String)>,
}

/// What one process has counted since it started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// How often figures could not be published.
    pub publish_failures: u64,
    /// Messages that were given up meanwhile.
    pub messages_dropped: u64,
    /// Requests to the storage.
    pub requests: BTreeMap<Request, u64>,
    /// Those that failed, by kind.
    pub errors: BTreeMap<(Request, ErrorKind), u64>,
}

/// What a process's word changes in the store.
#[must_use]
pub fn operation(process: &Process) -> Operation {
    let value = ProcessValue {
        memory_used_bytes: process.memory_used_bytes,
        memory_limit_bytes: process.memory_limit_bytes,
        publish_failures: process.publish_failures,
        messages_dropped: process.messages_dropped,
        requests: process.requests.clone(),
        errors: process.errors.clone(),
        missing_topics: process.missing_topics.clone(),
        expires: process.expires,
    };
    let value = serde_json::to_string(&value).expect("a struct of numbers and texts is valid JSON");
    let order = vec![u64::try_from(process.timestamp.0).unwrap_or(0)];
    Operation::Max { key: KEY.to_owned(), field: join(&[&process.instance]), order, value }
}

/// The processes that live at `now`.
#[must_use]
pub fn live(registers: &[Register], now: Millis) -> Processes {
    let mut sum = Processes::default();
    for (instance, process) in registers.iter().filter_map(read).filter(|(_, process)| now < process.expires) {
        sum.count += 1;
        sum.memory_used_bytes = sum.memory_used_bytes.saturating_add(process.memory_used_bytes);
        sum.memory_limit_bytes = sum.memory_limit_bytes.saturating_add(process.memory_limit_bytes);
        for (backup, topics) in process.missing_topics {
            sum.missing_topics.extend(topics.into_iter().map(|topic| (backup.clone(), topic)));
        }
        let errors = process.errors.into_iter();
        let errors = errors.flat_map(|(request, of)| of.into_iter().map(move |(kind, count)| ((request, kind), count)));
        let counts = Counts {
            publish_failures: process.publish_failures,
            messages_dropped: process.messages_dropped,
            requests: process.requests,
            errors: errors.collect(),
        };
        sum.counts.insert(instance, counts);
    }
    sum
}

/// Takes out those that ended, whose clock is ahead of `latest`, and what cannot be read.
#[must_use]
pub fn over(registers: &[Register], now: Millis, latest: Millis) -> Option<Operation> {
    let is_live = |register: &&Register| {
        read(register).is_some_and(|(_, process)| now < process.expires && process.expires <= latest)
    };
    let fields: Vec<String> =
        registers.iter().filter(|register| !is_live(register)).map(|register| register.field.clone()).collect();
    (!fields.is_empty()).then(|| Operation::Remove { key: KEY.to_owned(), fields })
}

fn read(register: &Register) -> Option<(String, ProcessValue)> {
    let [instance] = split::<1>(&register.field)?;
    Some((instance.to_owned(), serde_json::from_str(&register.value).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(instance: &str, expires: i64) -> Register {
        let process = Process {
            timestamp: Millis(7),
            instance: instance.into(),
            memory_used_bytes: 10,
            memory_limit_bytes: 100,
            publish_failures: 4,
            messages_dropped: 1,
            requests: BTreeMap::from([(Request::Put, 3), (Request::Get, 1)]),
            errors: BTreeMap::from([(Request::Put, BTreeMap::from([(ErrorKind::Unavailable, 2)]))]),
            missing_topics: BTreeMap::from([("main".to_owned(), vec!["ordres".to_owned(), instance.to_owned()])]),
            expires: Millis(expires),
        };
        let Operation::Max { field, order, value, .. } = operation(&process) else { panic!("a register") };
        Register { field, order, value }
    }

    #[test]
    fn memory_of_live_processes_is_added_up_counts_stay_each_its_own_and_others_are_left_out() {
        let junk = Register { field: "1:x,".into(), order: vec![1], value: "junk".into() };
        let sum = live(&[register("a", 100), register("b", 100), register("dead", 50), junk], Millis(50));
        assert_eq!((sum.count, sum.memory_used_bytes, sum.memory_limit_bytes), (2, 20, 200));
        let counts = Counts {
            publish_failures: 4,
            messages_dropped: 1,
            requests: BTreeMap::from([(Request::Put, 3), (Request::Get, 1)]),
            errors: BTreeMap::from([((Request::Put, ErrorKind::Unavailable), 2)]),
        };
        assert_eq!(sum.counts, ["a", "b"].map(|name| (name.to_owned(), counts.clone())).into());
        let missing = ["a", "b", "ordres"].map(|topic| ("main".to_owned(), topic.to_owned()));
        assert_eq!(sum.missing_topics, BTreeSet::from(missing), "each once, whoever misses it");
    }

    #[test]
    fn what_is_over_of_the_future_or_unreadable_is_taken_out() {
        let junk = Register { field: "junk".into(), order: vec![], value: "{}".into() };
        let held = [register("live", 100), register("dead", 50), register("ahead", 301), junk];
        let Some(Operation::Remove { fields, .. }) = over(&held, Millis(50), Millis(300)) else { panic!("some are") };
        assert_eq!(fields, ["4:dead,", "5:ahead,", "junk"]);
        assert_eq!(over(&held[..1], Millis(50), Millis(300)), None);
    }
}
