//! What the function can be asked.

use serde::Deserialize;
use serde_json::Value;

/// What the function can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Input {
    /// Replicate what is asked for on the topic, to its end, and what is due to be tried again.
    Drain {
        /// Only to this location.
        location: Option<String>,
    },
    /// Compare the storage with the locations, and ask for what is missing there.
    Reconcile {
        /// Only this location.
        location: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    reconcile: bool,
}

impl TryFrom<Value> for Input {
    type Error = serde_json::Error;

    /// A Kafka event, and the event of a schedule, are hints that there is something to do.
    fn try_from(payload: Value) -> Result<Self, serde_json::Error> {
        let is_event = ["eventSource", "source", "detail-type"].iter().any(|field| payload.get(field).is_some());
        if is_event {
            return Ok(Input::Drain { location: None });
        }
        let Asked { location, reconcile } = serde_json::from_value(payload)?;
        Ok(if reconcile { Input::Reconcile { location } } else { Input::Drain { location } })
    }
}
