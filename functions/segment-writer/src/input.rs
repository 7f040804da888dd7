//! What a payload asks of the function.

use serde::Deserialize;
use serde_json::Value;
use shared::{
    function,
    record::{
        Millis,
        kafka_event::{KafkaEvent, KafkaEventError},
    },
};

use crate::{Drain, Event};

/// What the function can be asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub enum Input {
    /// Pull what Kafka has and the storage has not.
    Drain(Drain),
    /// Take what a Kafka event brought.
    Event(Event),
}

/// Why a payload asks nothing.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It has an event source that is not Kafka.
    #[error(transparent)]
    Event(#[from] KafkaEventError),
    /// It is no drain.
    #[error("{0}; a drain is {{\"backup\": \"main\"}}, and an event has an eventSource")]
    Drain(#[from] function::InputError),
}

impl TryFrom<Value> for Input {
    type Error = InputError;

    /// A Kafka event by its `eventSource`, else a drain.
    fn try_from(payload: Value) -> Result<Self, InputError> {
        Ok(match payload.get("eventSource") {
            Some(_) => Input::Event(KafkaEvent::parse(&payload)?.into()),
            None => Input::Drain(function::read(payload)?),
        })
    }
}

impl Input {
    /// The same, with an answer by `deadline` at the latest (milliseconds since 1970).
    #[must_use]
    pub fn by(mut self, deadline: Millis) -> Self {
        let of = match &mut self {
            Input::Drain(drain) => &mut drain.deadline,
            Input::Event(event) => &mut event.deadline,
        };
        *of = Some(of.map_or(deadline, |earlier| earlier.min(deadline)));
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::record::Offset;

    use super::*;

    fn read(payload: Value) -> Result<Input, String> {
        Input::try_from(payload).map_err(|error| error.to_string())
    }

    #[test]
    fn a_payload_is_an_event_by_its_source_and_a_drain_otherwise() {
        assert!(matches!(read(json!({"backup": "main"})), Ok(Input::Drain(drain)) if drain.backup == "main"));
        let record = |offset| json!({"topic": "a-b", "partition": 1, "offset": offset, "timestamp": 1});
        let records = json!({"a-b-1": [record(7), record(9)], "x": ["?"], "c-0": ["?"]});
        let Ok(Input::Event(event)) = read(json!({"eventSource": "aws:kafka", "records": records})) else {
            panic!("an event is read")
        };
        let [whole, unread] = &event.arrived[..] else { panic!("{event:?}") };
        assert_eq!((whole.item.as_str(), whole.offsets), ("a-b-1", Some((Offset(7), Offset(9)))));
        assert_eq!((unread.item.as_str(), unread.offsets), ("c-0", None));
        assert_eq!(event.lost[0].item, "x");
    }

    #[test]
    fn what_is_neither_is_told_with_what_would_be() {
        let told = |payload, wanted: &str| {
            let error = read(payload).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        };
        told(json!({"backups": "main"}), "unknown field `backups`");
        told(json!({}), "missing field `backup`");
        told(json!({}), r#"a drain is {"backup": "main"}"#);
        told(json!({"backup": "main", "shard": {"index": -1, "count": 2}}), "shard.index: invalid value: integer `-1`");
        told(json!({"backup": "main", "shard": {"index": 0, "of": 2}}), "unknown field `of`");
        told(json!({"backup": "main", "topics": "orders"}), "topics: invalid type: string \"orders\"");
        told(json!({"eventSource": "aws:sqs"}), "map a kafka topic to this function");
    }

    #[test]
    fn the_earlier_deadline_holds() {
        let drain = |by: i64| json!({"backup": "main", "deadline": by});
        for (own, lambdas, earlier) in [(5, 9, 5), (9, 5, 5)] {
            let Ok(Input::Drain(drain)) = read(drain(own)).map(|input| input.by(Millis(lambdas))) else { panic!() };
            assert_eq!(drain.deadline, Some(Millis(earlier)));
        }
    }
}
