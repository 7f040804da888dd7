//! How far each chain is complete at each location: up to where, from its beginning, nothing is missing there.
//!
//! The last observation counts, not the furthest: where somebody deletes a segment at the location, its frontier goes back.
//!
//! ```text
//! key    hw1:location-frontiers:<location>,    field  <backup>,<topic>,<n>,<partition>,    order  time, offset    value  offset
//! ```

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    metrics::registers::names::{join, split},
    ports::store::{Operation, Query, Register},
    record::{Millis, Offset, Partition},
};

/// How far a chain is complete at a location. object-replicator says it after each segment, and when it compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocationFrontier {
    /// When it was seen.
    pub timestamp: Millis,
    /// The location's name.
    pub location: Arc<str>,
    /// The backup's name.
    pub backup: Arc<str>,
    /// The topic's name.
    pub topic: Arc<str>,
    /// Which topic of that name, from 1.
    pub incarnation: u32,
    /// The partition.
    pub partition: Partition,
    /// Everything below is at the location.
    pub next: Offset,
}

/// A chain, by backup, topic, incarnation and partition.
pub type Place = (Arc<str>, Arc<str>, u32, Partition);

impl LocationFrontier {
    /// What it changes in the store.
    #[must_use]
    pub fn operation(&self) -> Operation {
        let (incarnation, partition) = (self.incarnation.to_string(), self.partition.to_string());
        Operation::Max {
            key: key(&self.location),
            field: join(&[&self.backup, &self.topic, &incarnation, &partition]),
            order: vec![self.timestamp.0.unsigned_abs(), self.next.0.unsigned_abs()],
            value: self.next.to_string(),
        }
    }
}

/// What to read of a location.
#[must_use]
pub fn query(location: &str) -> Query {
    Query::Registers(key(location))
}

/// The frontiers of a location; what cannot be read is left out.
#[must_use]
pub fn read(held: &[Register]) -> BTreeMap<Place, Offset> {
    let one = |register: &Register| {
        let [backup, topic, incarnation, partition] = split::<4>(&register.field)?;
        let place = (backup.into(), topic.into(), incarnation.parse().ok()?, Partition(partition.parse().ok()?));
        Some((place, Offset(register.value.parse().ok()?)))
    };
    held.iter().filter_map(one).collect()
}

/// The hash of a location's frontiers.
#[must_use]
pub fn key(location: &str) -> String {
    format!("hw1:location-frontiers:{}", join(&[location]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frontier_reads_back_and_anything_else_is_left_out() {
        let frontier = LocationFrontier {
            timestamp: Millis(7),
            location: "paris".into(),
            backup: "main".into(),
            topic: "orders".into(),
            incarnation: 2,
            partition: Partition(3),
            next: Offset(408),
        };
        let Operation::Max { key, field, order, value } = frontier.operation() else { panic!("a register") };
        assert_eq!((key.as_str(), field.as_str()), ("hw1:location-frontiers:5:paris,", "4:main,6:orders,1:2,1:3,"));
        let junk = Register { field: "x".into(), order: vec![], value: "y".into() };
        let place = ("main".into(), "orders".into(), 2, Partition(3));
        assert_eq!(read(&[Register { field, order, value }, junk]), BTreeMap::from([(place, Offset(408))]));
    }
}
