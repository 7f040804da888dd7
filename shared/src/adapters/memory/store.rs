//! The store in memory: the same operations as the script in Redis, under one lock.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;

use crate::{
    metrics::number::leading_integer,
    ports::{
        clock::Clock,
        store::{Advance, Applied, Contribution, Operation, Query, Register, Store, StoreError, Value, Waiting},
    },
    record::Millis,
};

/// A store in memory. Its clock says what has expired.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    contents: Mutex<Contents>,
    /// How often other contents were put in.
    runs: AtomicU64,
}

/// All that a store holds at a moment: what a test puts back to play a Redis that lost its latest writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents(HashMap<String, Entry>);

/// For so long at least a thing is known that was said something of.
const KEPT_MS_MIN: i64 = 600_000;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    held: Held,
    expires: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    Text(String),
    Registers(BTreeMap<String, (Vec<u64>, String)>),
    Contributions((Vec<u64>, Vec<Contribution>)),
    Waiting(BTreeMap<String, Millis>),
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        MemoryStore { clock, contents: Mutex::default(), runs: AtomicU64::default() }
    }

    /// Writes a text as another program would.
    pub fn set(&self, key: &str, text: &str) {
        self.contents().0.insert(key.to_owned(), Entry { held: Held::Text(text.to_owned()), expires: None });
    }

    /// What the store holds now.
    #[must_use]
    pub fn snapshot(&self) -> Contents {
        self.contents().clone()
    }

    /// Starts again with what it held at another time; [`Contents::default`] empties it.
    pub fn restore(&self, contents: Contents) {
        let mut held = self.contents();
        self.runs.fetch_add(1, Ordering::Relaxed);
        *held = contents;
    }

    /// The keys that have not expired, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.contents().0.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// The contents without what has expired.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        let now = self.clock.now();
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents.0.retain(|_, entry| entry.expires.is_none_or(|at| at > now));
        contents
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn apply(&self, advances: &[Advance], operations: &[Operation]) -> Result<Applied, StoreError> {
        let now = self.clock.now();
        let mut contents = self.contents();
        let stored = advances.iter().map(|advance| contents.position(&advance.key)).collect::<Result<Vec<_>, _>>()?;
        if stored.iter().zip(advances).any(|(position, advance)| *position != advance.from) {
            return Ok(Applied::Elsewhere(stored));
        }
        for advance in advances {
            contents.set(&advance.key, advance.to.to_string());
        }
        for operation in operations {
            contents.run(operation, now);
        }
        Ok(Applied::Done)
    }

    async fn read(&self, queries: &[Query]) -> Result<Vec<Value>, StoreError> {
        let contents = self.contents();
        let run = self.runs.load(Ordering::Relaxed);
        Ok(queries.iter().map(|query| contents.value(query, run)).collect())
    }
}

impl Contents {
    fn text(&self, key: &str) -> Option<&str> {
        match &self.0.get(key)?.held {
            Held::Text(text) => Some(text),
            Held::Registers(_) | Held::Contributions(_) | Held::Waiting(_) => None,
        }
    }

    fn position(&self, key: &str) -> Result<Option<i64>, StoreError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| StoreError::Refused {
                operation: "apply",
                url: "memory".to_owned(),
                message: format!("the position at key {key:?} is {text:?}, which is no number: delete that key"),
            })
        };
        self.text(key).map(parse).transpose()
    }

    fn value(&self, query: &Query, run: u64) -> Value {
        match query {
            Query::Text(key) => Value::Text(self.text(key).map(str::to_owned)),
            Query::Registers(key) => Value::Registers(self.registers(key)),
            Query::Longest(set) => Value::Text(self.longest(set).map(|since| since.0.to_string())),
            Query::Run => Value::Text(Some(format!("memory-{run}"))),
        }
    }

    fn longest(&self, set: &str) -> Option<Millis> {
        match &self.0.get(set)?.held {
            Held::Waiting(things) => things.values().min().copied(),
            _ => None,
        }
    }

    fn registers(&self, key: &str) -> Vec<Register> {
        let Some(Entry { held: Held::Registers(fields), .. }) = self.0.get(key) else { return Vec::new() };
        let register = |(field, (order, value)): (&String, &(Vec<u64>, String))| Register {
            field: field.clone(),
            order: order.clone(),
            value: value.clone(),
        };
        fields.iter().map(register).collect()
    }

    fn set(&mut self, key: &str, text: String) {
        let expires = self.0.get(key).and_then(|entry| entry.expires);
        self.0.insert(key.to_owned(), Entry { held: Held::Text(text), expires });
    }

    fn run(&mut self, operation: &Operation, now: Millis) {
        match operation {
            Operation::Add { key, by, expires } => self.add(key, *by, *expires),
            Operation::Max { key, field, order, value } => self.max(key, field, order, value),
            Operation::Replace { key, field, was_order, was_value, order, value } => {
                let Some(Entry { held: Held::Registers(fields), .. }) = self.0.get_mut(key) else { return };
                if let Some(held) = fields.get_mut(field).filter(|held| (&held.0, &held.1) == (was_order, was_value)) {
                    *held = (order.clone(), value.clone());
                }
            }
            Operation::Contribute { key, order, adds, keeps, waits, expires, only_known } => {
                if self.contribute(key, order, adds, (*expires, now), *only_known) {
                    keeps.iter().for_each(|add| self.add(&add.key, add.by, add.expires));
                    waits.iter().for_each(|waiting| self.wait(key, waiting));
                }
            }
            Operation::Remove { key, fields } => self.remove(key, |field, _| fields.contains(field)),
            Operation::Forget { key } => drop(self.0.remove(key)),
            Operation::RemoveUpTo { key, field, order } => self.remove(key, |it, held| it == field && held <= order),
        }
    }

    fn add(&mut self, key: &str, by: i64, expires: Option<Millis>) {
        let held = leading_integer(self.text(key).unwrap_or_default());
        let sum = held.parse::<i64>().ok().and_then(|number| number.checked_add(by));
        self.set(key, sum.map_or(held, |sum| sum.to_string()));
        if let Some(entry) = self.0.get_mut(key) {
            entry.expires = expires.or(entry.expires);
        }
    }

    fn contribute(
        &mut self,
        key: &str,
        order: &[u64],
        adds: &[Contribution],
        (expires, now): (Option<Millis>, Millis),
        only_known: bool,
    ) -> bool {
        let held = self.0.get(key).and_then(|entry| match &entry.held {
            Held::Contributions(held) => Some(held.clone()),
            _ => None,
        });
        if held.as_ref().map_or(only_known, |(known, _)| known.as_slice() >= order) {
            return false;
        }
        for former in held.into_iter().flat_map(|(_, adds)| adds) {
            self.add(&former.key, former.by.saturating_neg(), former.expires);
        }
        for add in adds {
            self.add(&add.key, add.by, add.expires);
        }
        let expires = expires.map(|at| if at > now { at } else { Millis(now.0.saturating_add(KEPT_MS_MIN)) });
        let held = Held::Contributions((order.to_vec(), adds.to_vec()));
        self.0.insert(key.to_owned(), Entry { held, expires });
        true
    }

    /// A set without members is none, as in Redis.
    fn wait(&mut self, thing: &str, Waiting { set, since }: &Waiting) {
        let mut things = match self.0.remove(&**set) {
            Some(Entry { held: Held::Waiting(things), .. }) => things,
            _ => BTreeMap::new(),
        };
        match since {
            Some(since) => drop(things.insert(thing.to_owned(), *since)),
            None => drop(things.remove(thing)),
        }
        if !things.is_empty() {
            self.0.insert(set.to_string(), Entry { held: Held::Waiting(things), expires: None });
        }
    }

    fn max(&mut self, key: &str, field: &str, order: &[u64], value: &str) {
        let entry = self.0.entry(key.to_owned()).or_insert_with(Entry::registers);
        if !matches!(entry.held, Held::Registers(_)) {
            *entry = Entry::registers();
        }
        let Held::Registers(fields) = &mut entry.held else { return };
        if fields.get(field).is_none_or(|(held, _)| held.as_slice() < order) {
            fields.insert(field.to_owned(), (order.to_vec(), value.to_owned()));
        }
    }

    /// A hash without fields is none, as in Redis.
    fn remove(&mut self, key: &str, removed: impl Fn(&String, &Vec<u64>) -> bool) {
        let Some(Entry { held: Held::Registers(fields), .. }) = self.0.get_mut(key) else { return };
        fields.retain(|field, (order, _)| !removed(field, order));
        if fields.is_empty() {
            self.0.remove(key);
        }
    }
}

impl Entry {
    fn registers() -> Self {
        Entry { held: Held::Registers(BTreeMap::new()), expires: None }
    }
}
