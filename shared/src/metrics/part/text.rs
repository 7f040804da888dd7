//! A part as JSON. Of its operations those that speak of things are the most by far, and name few counters and sets: these stand in
//! a list of their own, and the others say which of it they mean.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

use super::{Part, Place};
use crate::{
    ports::store::{Contribution, Operation, Waiting},
    record::{Millis, Offset, Partition, TopicId},
};

/// It has no field but these: one that is misspelt is told.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartText {
    topic_id: TopicId,
    partition: Partition,
    from: Option<Offset>,
    to: Offset,
    operations: Vec<Operation>,
    /// The keys of counters and sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<Arc<str>>,
    /// [`Operation::Contribute`]: they commute with the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    things: Vec<ThingText>,
}

/// Key, order, what it adds, what it adds for good, where it waits, when it is forgotten, whether it must be known.
#[derive(Serialize, Deserialize)]
struct ThingText(String, Vec<u64>, Vec<Adds>, Vec<Adds>, Vec<Waits>, Option<Millis>, bool);

/// Which key, how much, until when.
#[derive(Serialize, Deserialize)]
struct Adds(usize, i64, Option<Millis>);

/// Which key, since when.
#[derive(Serialize, Deserialize)]
struct Waits(usize, Option<Millis>);

/// A thing names a key that is not in the list.
#[derive(Debug, thiserror::Error)]
#[error("{key} names key {index} of {keys}")]
pub(super) struct NoSuchKey {
    key: String,
    index: usize,
    keys: usize,
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut keys = Keys::default();
        let (mut operations, mut things) = (vec![], vec![]);
        for operation in &self.operations {
            match keys.pack(operation) {
                Some(thing) => things.push(thing),
                None => operations.push(operation.clone()),
            }
        }
        let Place { topic_id, partition } = self.place.clone();
        let (from, to, keys) = (self.from, self.to, keys.list);
        PartText { topic_id, partition, from, to, operations, keys, things }.serialize(serializer)
    }
}

impl TryFrom<PartText> for Part {
    type Error = NoSuchKey;

    fn try_from(text: PartText) -> Result<Self, NoSuchKey> {
        let PartText { topic_id, partition, from, to, mut operations, keys, things } = text;
        operations.reserve(things.len());
        for thing in things {
            operations.push(unpack(thing, &keys)?);
        }
        Ok(Part { place: Place { topic_id, partition }, from, to, operations })
    }
}

#[derive(Default)]
struct Keys {
    list: Vec<Arc<str>>,
    places: HashMap<Arc<str>, usize>,
}

impl Keys {
    fn pack(&mut self, operation: &Operation) -> Option<ThingText> {
        let Operation::Contribute { key, order, adds, keeps, waits, expires, only_known } = operation else {
            return None;
        };
        let mut adds_of = |adds: &[Contribution]| -> Vec<Adds> {
            adds.iter().map(|add| Adds(self.place(&add.key), add.by, add.expires)).collect()
        };
        let (adds, keeps) = (adds_of(adds), adds_of(keeps));
        let waits = waits.iter().map(|it| Waits(self.place(&it.set), it.since)).collect();
        Some(ThingText(key.clone(), order.clone(), adds, keeps, waits, *expires, *only_known))
    }

    fn place(&mut self, key: &Arc<str>) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        self.places.insert(Arc::clone(key), self.list.len());
        self.list.push(Arc::clone(key));
        self.list.len() - 1
    }
}

fn unpack(thing: ThingText, keys: &[Arc<str>]) -> Result<Operation, NoSuchKey> {
    let ThingText(key, order, adds, keeps, waits, expires, only_known) = thing;
    let named =
        |index: usize| keys.get(index).cloned().ok_or_else(|| NoSuchKey { key: key.clone(), index, keys: keys.len() });
    let contributions = |adds: Vec<Adds>| {
        let one = |Adds(index, by, expires)| Ok(Contribution { key: named(index)?, by, expires });
        adds.into_iter().map(one).collect::<Result<Vec<_>, NoSuchKey>>()
    };
    let waits = waits.into_iter().map(|Waits(index, since)| Ok(Waiting { set: named(index)?, since }));
    let (adds, keeps, waits) = (contributions(adds)?, contributions(keeps)?, waits.collect::<Result<_, _>>()?);
    Ok(Operation::Contribute { key, order, adds, keeps, waits, expires, only_known })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part() -> Part {
        let add = |key: &str, by, expires| Contribution { key: key.into(), by, expires };
        let operations = vec![
            Operation::Add { key: "n".into(), by: 1, expires: None },
            Operation::Contribute {
                key: "x".into(),
                order: vec![1, 2],
                adds: vec![add("a", 1, None), add("b", -5, Some(Millis(9)))],
                keeps: vec![add("a", 3, None)],
                waits: vec![
                    Waiting { set: "w".into(), since: Some(Millis(7)) },
                    Waiting { set: "v".into(), since: None },
                ],
                expires: Some(Millis(8)),
                only_known: true,
            },
        ];
        let place = Place { topic_id: TopicId::from("id"), partition: Partition(2) };
        Part { place, from: None, to: Offset(7), operations }
    }

    #[test]
    fn a_part_names_each_key_once() {
        let expected = json!({
            "topic_id": "id", "partition": 2, "from": null, "to": 7, "operations": [{"add": {"key": "n", "by": 1}}],
            "keys": ["a", "b", "w", "v"],
            "things": [["x", [1, 2], [[0, 1, null], [1, -5, 9]], [[0, 3, null]], [[2, 7], [3, null]], 8, true]],
        });
        assert_eq!(serde_json::to_value(part()).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Part>(expected).unwrap(), part());
    }

    #[test]
    fn the_form_of_an_earlier_version_is_read_too() {
        let earlier = json!({
            "topic_id": "id", "partition": 2, "from": null, "to": 7,
            "operations": [{"add": {"key": "n", "by": 1}}, {"contribute": {
                "key": "x", "order": [1, 2], "adds": [{"key": "a", "by": 1}, {"key": "b", "by": -5, "expires": 9}],
                "keeps": [{"key": "a", "by": 3}], "waits": [{"set": "w", "since": 7}, {"set": "v"}],
                "expires": 8, "only_known": true,
            }}],
        });
        assert_eq!(serde_json::from_value::<Part>(earlier).unwrap(), part());
    }

    #[test]
    fn a_key_that_is_not_in_the_list_is_told() {
        let text = json!({
            "topic_id": "id", "partition": 2, "from": null, "to": 7, "operations": [], "keys": ["a"],
            "things": [["x", [1], [[1, 1, null]], [], [], null, false]],
        });
        let error = serde_json::from_value::<Part>(text).unwrap_err();
        assert!(error.to_string().contains("x names key 1 of 1"), "{error}");
    }
}
