//! What metrics-consumer asks of metrics-aggregator: one partition's messages from one position to another, folded.

use serde::{Deserialize, Serialize};

use super::keys;
use crate::{
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Of which partition.
    #[serde(flatten)]
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

        let outcome = part.outcome(&Applied::Elsewhere(vec![None]));
        assert_eq!(serde_json::to_value(outcome).unwrap(), json!({"outcome": "elsewhere", "position": null}));
        assert_eq!(
            serde_json::to_value(part.outcome(&Applied::Done)).unwrap(),
            json!({"outcome": "done", "position": 7})
        );
    }
}
