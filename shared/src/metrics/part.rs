//! What metrics-consumer asks of metrics-aggregator: one partition's messages from one position to another, folded.

use serde::{Deserialize, Serialize};

mod text;

use self::text::PartText;
use super::keys;
use crate::{
    function::BadField,
    ports::store::{Advance, Applied, Operation},
    record::{Offset, Partition, TopicId},
};

/// No partition ever stands here.
const NOWHERE: Offset = Offset(-1);

/// Where a partition of the metrics topic is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The metrics topic's id.
    pub topic_id: TopicId,
    /// The partition.
    pub partition: Partition,
}

/// Messages of one partition, folded. Applied whole and once: only where the stored position is `from`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PartText")]
pub struct Part {
    /// Of which partition.
    pub place: Place,
    /// The first offset that is in it, or could be; `None`: the partition was never counted, and nothing is below.
    pub from: Option<Offset>,
    /// The first offset that is not.
    pub to: Offset,
    /// What to do.
    pub operations: Vec<Operation>,
}

impl Part {
    /// A part that changes nothing and is answered with the position.
    #[must_use]
    pub fn asking(place: Place) -> Self {
        Part { place, from: Some(NOWHERE), to: NOWHERE, operations: Vec::new() }
    }

    /// Checks that no field has a value that no part can have.
    ///
    /// # Errors
    /// The first such field.
    pub fn check(&self) -> Result<(), BadField> {
        let Place { topic_id, partition } = &self.place;
        if topic_id.0.is_empty() {
            return Err(BadField::new("topic_id", &*topic_id.0, "the id of the metrics topic"));
        }
        if partition.0 < 0 {
            return Err(BadField::new("partition", partition.0, "it must be 0 or more"));
        }
        if *self == Part::asking(self.place.clone()) {
            return Ok(());
        }
        for (field, offset) in [("from", self.from), ("to", Some(self.to))] {
            if let Some(Offset(offset)) = offset.filter(|offset| *offset < Offset(0)) {
                return Err(BadField::new(field, offset, "it must be 0 or more"));
            }
        }
        self.operations.iter().enumerate().try_for_each(|(index, operation)| {
            let named = !operation.key().is_empty();
            named.then_some(()).ok_or_else(|| BadField::new(format!("operations[{index}] key"), "", "a key has a name"))
        })
    }

    /// The move of the position that the part stands under.
    #[must_use]
    pub fn advance(&self) -> Advance {
        let key = keys::position(&self.place.topic_id, self.place.partition);
        Advance { key, from: self.from.map(|offset| offset.0), to: self.to.0 }
    }

    /// What the store's answer to the part says.
    #[must_use]
    pub fn outcome(&self, applied: &Applied) -> Outcome {
        match applied {
            Applied::Done => Outcome::Done { position: self.to },
            Applied::Elsewhere(positions) => {
                Outcome::Elsewhere { position: positions.first().copied().flatten().map(Offset) }
            }
        }
    }
}

/// What came of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It was applied.
    Done {
        /// Where the partition stands now.
        position: Offset,
    },
    /// Nothing was changed: the partition stands elsewhere.
    Elsewhere {
        /// Where; `None`: it was never counted, or the store lost it.
        position: Option<Offset>,
    },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_and_its_outcome_are_this_json() {
        let place = Place { topic_id: TopicId::from("id"), partition: Partition(2) };
        let add = Operation::Add { key: "k".into(), by: 3, expires: None };
        let max = Operation::Max { key: "h".into(), field: "f".into(), order: vec![u64::MAX], value: "v".into() };
        let part = Part { place, from: None, to: Offset(7), operations: vec![add, max] };
        let expected = json!({
            "topic_id": "id", "partition": 2, "from": null, "to": 7,
            "operations": [{"add": {"key": "k", "by": 3}}, {"max": {"key": "h", "field": "f", "order": [u64::MAX], "value": "v"}}],
        });
        assert_eq!(serde_json::to_value(&part).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Part>(expected).unwrap(), part);

        let misspelt =
            json!({"topic_id": "id", "partition": 2, "from": null, "to": 7, "operation": [], "operations": []});
        let error = serde_json::from_value::<Part>(misspelt).unwrap_err();
        assert!(error.to_string().contains("unknown field `operation`"), "{error}");

        let outcome = part.outcome(&Applied::Elsewhere(vec![None]));
        assert_eq!(serde_json::to_value(outcome).unwrap(), json!({"outcome": "elsewhere", "position": null}));
        assert_eq!(
            serde_json::to_value(part.outcome(&Applied::Done)).unwrap(),
            json!({"outcome": "done", "position": 7})
        );
    }

    #[test]
    fn a_part_with_a_value_that_it_cannot_have_is_refused_with_it() {
        let add = |key: &str| Operation::Add { key: key.into(), by: 1, expires: None };
        let part = |topic_id: &str, partition, from, to, key: &str| Part {
            place: Place { topic_id: TopicId::from(topic_id), partition: Partition(partition) },
            from: Some(Offset(from)),
            to: Offset(to),
            operations: vec![add(key)],
        };
        let told = |part: Part| part.check().unwrap_err().to_string();
        assert_eq!(told(part("", 0, 0, 1, "k")), "topic_id is \"\": the id of the metrics topic");
        assert_eq!(told(part("id", -1, 0, 1, "k")), "partition is -1: it must be 0 or more");
        assert_eq!(told(part("id", 0, -1, 1, "k")), "from is -1: it must be 0 or more");
        assert_eq!(told(part("id", 0, 0, -7, "k")), "to is -7: it must be 0 or more");
        assert_eq!(told(part("id", 0, 0, 1, "")), "operations[0] key is \"\": a key has a name");
        assert_eq!(Part::asking(part("id", 0, 0, 1, "k").place).check(), Ok(()));
        assert_eq!(part("id", 0, 0, 1, "k").check(), Ok(()));
    }
}
