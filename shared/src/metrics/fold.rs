//! Folding: a batch of messages becomes few operations, split so that each part can be sent and applied as one.

use std::collections::HashMap;

use super::{
    backbeat::keys::Windows,
    effects::{self, Effects, Group},
    part::{Part, Place},
};
use crate::{
    ports::store::Operation,
    record::{Offset, Record},
};

/// A part has fewer operations than this.
pub const OPERATIONS_MAX: usize = 1_000;
/// A part is smaller than this as JSON, in bytes.
pub const BYTES_MAX: usize = 5_000_000;

/// The parts of a batch: records of one partition in offset order, of which those below `from` are counted already.
/// Offsets that do not exist are passed over: the first part begins at `from` even if the records begin later.
/// No parts when nothing is left.
#[must_use]
pub fn fold(place: &Place, from: Option<Offset>, records: &[Record], windows: Windows) -> Vec<Part> {
    let (mut parts, mut from, mut folded) = (Vec::new(), from, Folded::default());
    let fresh = records.iter().filter(|record| from.is_none_or(|from| record.offset >= from));
    for record in fresh.collect::<Vec<_>>() {
        let effects = effects::of_record(record, windows);
        if !folded.add_to_group(&effects) {
            let (group, operations) = match effects {
                Effects::Grouped(group, ops, bytes) => (Some(group.clone()), group.operations(ops, bytes)),
                Effects::Operations(operations) => (None, operations),
            };
            if !folded.has_room_for(&operations) {
                let part = folded.close(place, from);
                from = Some(part.to);
                parts.push(part);
            }
            folded.merge_all(group, operations);
        }
        folded.to = Some(record.offset.next());
    }
    if folded.to.is_some() {
        parts.push(folded.close(place, from));
    }
    parts
}

/// Operations with at most one addition to a counter and one setting of a register.
#[derive(Default)]
struct Folded {
    operations: Vec<Operation>,
    /// Where in `operations` a counter's addition is.
    counters: HashMap<String, usize>,
    /// Where in `operations` the additions to a group's counters are.
    groups: HashMap<Group, Vec<usize>>,
    /// Where in `operations` a register's setting is: by key, then by field.
    registers: HashMap<String, HashMap<String, usize>>,
    bytes: usize,
    to: Option<Offset>,
}

impl Folded {
    fn close(&mut self, place: &Place, from: Option<Offset>) -> Part {
        let folded = std::mem::take(self);
        let to = folded.to.or(from).unwrap_or_default();
        Part { place: place.clone(), from, to, operations: folded.operations }
    }

    /// Whether these can be merged in without passing a limit. Nothing is too large for an empty part.
    fn has_room_for(&self, more: &[Operation]) -> bool {
        let new: Vec<&Operation> = more.iter().filter(|operation| self.place_of(operation).is_none()).collect();
        let bytes: usize = more.iter().map(bytes_at_most).sum();
        let fits = self.operations.len() + new.len() < OPERATIONS_MAX && self.bytes + bytes < BYTES_MAX;
        fits || self.to.is_none()
    }

    fn place_of(&self, operation: &Operation) -> Option<usize> {
        match operation {
            Operation::Add { key, .. } => self.counters.get(key).copied(),
            Operation::Max { key, field, .. } => self.registers.get(key)?.get(field).copied(),
            Operation::Contribute { .. }
            | Operation::Replace { .. }
            | Operation::Remove { .. }
            | Operation::Forget { .. }
            | Operation::RemoveUpTo { .. } => None,
        }
    }

    /// Counts a message of a group that is there; false where it is not.
    fn add_to_group(&mut self, effects: &Effects) -> bool {
        let Effects::Grouped(group, ops, bytes) = effects else { return false };
        let Some(places) = self.groups.get(group) else { return false };
        for (place, more) in places.iter().zip(group.amounts(*ops, *bytes)) {
            if let Operation::Add { by, .. } = &mut self.operations[*place] {
                *by = by.saturating_add(more);
            }
        }
        true
    }

    fn merge_all(&mut self, group: Option<Group>, operations: Vec<Operation>) {
        let places = operations.into_iter().map(|operation| self.merge(operation)).collect();
        if let Some(group) = group {
            self.groups.insert(group, places);
        }
    }

    /// Answers where it is from now on.
    fn merge(&mut self, operation: Operation) -> usize {
        match self.place_of(&operation) {
            Some(place) => {
                self.bytes += unite(&mut self.operations[place], operation);
                place
            }
            None => self.append(operation),
        }
    }

    fn append(&mut self, operation: Operation) -> usize {
        let place = self.operations.len();
        match &operation {
            Operation::Add { key, .. } => drop(self.counters.insert(key.clone(), place)),
            Operation::Max { key, field, .. } => {
                self.registers.entry(key.clone()).or_default().insert(field.clone(), place);
            }
            // Additions commute with it.
            Operation::Contribute { .. } => {}
            // What comes after one of these must be done after it.
            Operation::Replace { key, .. } | Operation::Remove { key, .. } | Operation::RemoveUpTo { key, .. } => {
                drop(self.registers.remove(key));
            }
            // Messages forget nothing: only lag-monitor does.
            Operation::Forget { .. } => {}
        }
        self.bytes += bytes_at_most(&operation);
        self.operations.push(operation);
        place
    }
}

/// Makes one of two operations on the same counter or register; answers by how many bytes the first can have grown.
fn unite(first: &mut Operation, second: Operation) -> usize {
    let size = bytes_at_most(&second);
    match (first, second) {
        (Operation::Add { by, expires, .. }, Operation::Add { by: more, expires: later, .. }) => {
            *by = by.saturating_add(more);
            *expires = later.or(*expires);
            0
        }
        (held @ Operation::Max { .. }, second @ Operation::Max { .. }) => {
            if order(held) < order(&second) {
                *held = second;
            }
            size
        }
        _ => 0,
    }
}

fn order(operation: &Operation) -> &[u64] {
    match operation {
        Operation::Max { order, .. } => order,
        _ => &[],
    }
}

/// An upper bound of an operation's size as JSON: a byte becomes six at most (`\u0000`), a value that is JSON itself
/// doubles its quotes, a number has twenty digits.
fn bytes_at_most(operation: &Operation) -> usize {
    const AROUND: usize = 100;
    AROUND
        + match operation {
            Operation::Add { key, .. } | Operation::Forget { key } => 6 * key.len(),
            Operation::Contribute { key, order, adds, keeps, waits, .. } => {
                let adds: usize = adds.iter().chain(keeps).map(|add| AROUND + 6 * add.key.len()).sum();
                let waits: usize = waits.iter().map(|waiting| AROUND + 6 * waiting.set.len()).sum();
                6 * key.len() + 21 * order.len() + adds + waits
            }
            Operation::Max { key, field, order, value } => {
                6 * (key.len() + field.len() + value.len()) + 21 * order.len()
            }
            Operation::Replace { key, field, was_order, was_value, order, value } => {
                let texts = key.len() + field.len() + was_value.len() + value.len();
                6 * texts + 21 * (was_order.len() + order.len())
            }
            Operation::RemoveUpTo { key, field, order } => 6 * (key.len() + field.len()) + 21 * order.len(),
            Operation::Remove { key, fields } => {
                6 * key.len() + fields.iter().map(|field| 6 * field.len() + 3).sum::<usize>()
            }
        }
}

#[cfg(test)]
mod tests;
