//! What is said of things ([`Operation::Contribute`]) becomes few additions. It is decided here, from what the store holds of the
//! things, so that a thousand of them cost the store one command to read and one each to write. The script writes only while each
//! thing is what was read.
//!
//! A thing is kept as its order and what it adds, as `<order>|[[key, by, expires], ...]`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, hash_map::Entry},
};

use serde::Deserialize;

use super::texts::{order_text, parse_order, time};
use crate::{
    ports::store::{Contribution, Operation},
    record::Millis,
};

/// The keys of the things that operations speak of, each once.
pub(super) fn keys(operations: &[Operation]) -> Vec<&str> {
    let mut seen = HashMap::new();
    let mut keys = Vec::new();
    for operation in operations {
        if let Operation::Contribute { key, .. } = operation
            && let Entry::Vacant(vacant) = seen.entry(key.as_str())
        {
            vacant.insert(());
            keys.push(key.as_str());
        }
    }
    keys
}

/// What is to be written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes<'a> {
    /// The things that change.
    pub(super) things: Vec<Thing<'a>>,
    /// What is added to counters.
    pub(super) adds: Vec<Add<'a>>,
    /// By set: who waits there from now on and since when, and who does not.
    pub(super) waits: BTreeMap<&'a str, BTreeMap<&'a str, Option<Millis>>>,
}

/// A thing that changes.
#[derive(Debug, PartialEq)]
pub(super) struct Thing<'a> {
    pub(super) key: &'a str,
    /// What the store held.
    pub(super) was: &'a [u8],
    /// What it shall hold.
    pub(super) is: String,
    pub(super) expires: Option<Millis>,
}

/// An addition to a counter.
#[derive(Debug, PartialEq)]
pub(super) struct Add<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) by: i64,
    pub(super) expires: Option<Millis>,
}

/// What is to be written when the store holds this of the things, in the order of [`keys`].
pub(super) fn resolve<'a>(operations: &'a [Operation], held: &'a [Option<Vec<u8>>]) -> Changes<'a> {
    let mut resolving = Resolving::default();
    for (key, held) in keys(operations).into_iter().zip(held) {
        resolving.places.insert(key, resolving.states.len());
        resolving.states.push(State { key, held: held.as_deref(), said: None });
    }
    for operation in operations {
        if let Operation::Contribute { key, .. } = operation
            && let Some(place) = resolving.places.get(key.as_str()).copied()
        {
            resolving.say(place, operation);
        }
    }
    resolving.changes()
}

#[derive(Default)]
struct Resolving<'a> {
    /// Where in `states` a thing is.
    places: HashMap<&'a str, usize>,
    states: Vec<State<'a>>,
    /// Where in `adds` a counter is.
    counters: HashMap<Cow<'a, str>, usize>,
    adds: Vec<Add<'a>>,
    waits: BTreeMap<&'a str, BTreeMap<&'a str, Option<Millis>>>,
}

struct State<'a> {
    key: &'a str,
    held: Option<&'a [u8]>,
    /// What was said last, of what counted.
    said: Option<Said<'a>>,
}

#[derive(Clone, Copy)]
struct Said<'a> {
    order: &'a [u64],
    adds: &'a [Contribution],
    expires: Option<Millis>,
}

impl<'a> Resolving<'a> {
    /// What the thing said last is taken back, but for what is kept.
    fn say(&mut self, place: usize, operation: &'a Operation) {
        let Operation::Contribute { key, order, adds, keeps, waits, expires, only_known } = operation else { return };
        let State { held, said, .. } = &self.states[place];
        match (said, held) {
            (Some(said), _) if said.order >= order.as_slice() => return,
            (Some(said), _) => self.undo(said.adds),
            (None, None) if *only_known => return,
            (None, None) => {}
            (None, Some(held)) => {
                let (known, former) = parse(held);
                if known.as_slice() >= order.as_slice() {
                    return;
                }
                for (key, by, expires) in former {
                    self.add(key, by.saturating_neg(), expires);
                }
            }
        }
        for one in adds.iter().chain(keeps) {
            self.add(Cow::Borrowed(&one.key), one.by, one.expires);
        }
        for waiting in waits {
            self.waits.entry(&waiting.set).or_default().insert(key, waiting.since);
        }
        self.states[place].said = Some(Said { order, adds, expires: *expires });
    }

    fn undo(&mut self, adds: &'a [Contribution]) {
        for one in adds {
            self.add(Cow::Borrowed(&one.key), one.by.saturating_neg(), one.expires);
        }
    }

    /// Additions of nothing are written too: a counter that is there is told from one that is not.
    fn add(&mut self, key: Cow<'a, str>, by: i64, expires: Option<Millis>) {
        match self.counters.get(&key) {
            Some(place) => {
                let held = &mut self.adds[*place];
                held.by = held.by.saturating_add(by);
                held.expires = expires.or(held.expires);
            }
            None => {
                self.counters.insert(key.clone(), self.adds.len());
                self.adds.push(Add { key, by, expires });
            }
        }
    }

    fn changes(self) -> Changes<'a> {
        let thing = |state: State<'a>| {
            let said = state.said?;
            let is = format!("{}|{}", order_text(said.order), text(said.adds));
            Some(Thing { key: state.key, was: state.held.unwrap_or_default(), is, expires: said.expires })
        };
        let things = self.states.into_iter().filter_map(thing).collect();
        Changes { things, adds: self.adds, waits: self.waits }
    }
}

/// What a thing adds, as it is kept. Numbers are texts, so that none is rounded.
fn text(adds: &[Contribution]) -> String {
    let texts: Vec<_> = adds.iter().map(|add| (&*add.key, add.by.to_string(), time(add.expires))).collect();
    serde_json::to_string(&texts).unwrap_or_default()
}

/// A text without copying it, unless something in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

type Former<'a> = Vec<(Cow<'a, str>, i64, Option<Millis>)>;

/// The order of a thing and what it adds. What another program wrote has no order and adds nothing.
fn parse(held: &[u8]) -> (Vec<u64>, Former<'_>) {
    let parsed = std::str::from_utf8(held).ok().and_then(|text| {
        let (order, adds) = text.split_once('|')?;
        let adds: Vec<[Text<'_>; 3]> = serde_json::from_str(adds).ok()?;
        let adds = adds
            .into_iter()
            .map(|[key, by, expires]| Some((key.0, by.0.parse().ok()?, expires.0.parse().ok().map(Millis))));
        Some((parse_order(order)?, adds.collect::<Option<Former<'_>>>()?))
    });
    parsed.unwrap_or_default()
}

#[cfg(test)]
mod tests;
