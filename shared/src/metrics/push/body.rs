//! The body of a push: everything in it may be left out.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{job::State, record::Millis};

/// The longest message of a job.
pub const MESSAGE_CHARS_MAX: usize = 1_000;
/// As much of a text as a message may have.
#[must_use]
pub fn message_of(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

/// So many partitions of a topic have figures of their own.
pub const PARTITIONS_MAX: usize = 1_000;

/// What a job says of its work on a topic. Everything may be left out; what is left out stays as it was said before in
/// the same run. Fields with other names are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(title = "Progress of a job on a topic")]
pub struct Body {
    /// When this was so, in milliseconds since 1970. Left out: when the gateway got it. Of two pushes of one run, topic and
    /// event the one with the greater timestamp counts, whichever comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>", range(min = 0))]
    pub timestamp: Option<Millis>,
    /// Decides between pushes of one timestamp: the greater counts.
    #[serde(skip_serializing_if = "is_zero")]
    pub sequence: u64,
    /// What the job does, as `backup_state` numbers it: 0 created, 1xx running (102 preparing), 2xx paused, 3xx waiting to
    /// try again, 8xx done, 9xx failed (903 refused before anything was written).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u16>")]
    pub state: Option<State>,
    /// How far it is, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>", range(min = 0, max = 1))]
    pub progress: Option<Ratio>,
    /// Records that are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_count: Option<u64>,
    /// Records that there are to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_total: Option<u64>,
    /// Records that a filter left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_filtered_count: Option<u64>,
    /// Bytes that are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_count: Option<u64>,
    /// Bytes that there are to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_total: Option<u64>,
    /// Segments that are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments_count: Option<u64>,
    /// Segments that there are to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments_total: Option<u64>,
    /// What failed so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors_count: Option<u64>,
    /// What a person should know, such as why it failed.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "message")]
    #[schemars(length(max = 1_000))]
    pub message: Option<String>,
    /// What the job is to do, in a line.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "message")]
    #[schemars(length(max = 1_000))]
    pub plan: Option<String>,
    /// The partitions, where the job tells them apart.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "partitions")]
    #[schemars(length(max = 1_000))]
    pub partitions: Vec<PartitionFigures>,
}

/// How far a partition is. Other fields are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartitionFigures {
    /// Its number.
    pub partition: u32,
    /// How far it is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>", range(min = 0, max = 1))]
    pub progress: Option<Ratio>,
    /// Records that are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_count: Option<u64>,
    /// Records that there are to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_total: Option<u64>,
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct Ratio(f64);

/// It is never NaN.
impl Eq for Ratio {}

impl Ratio {
    /// The number, brought between 0 and 1; `None` of NaN.
    #[must_use]
    pub fn of(number: f64) -> Option<Self> {
        (!number.is_nan()).then(|| Ratio(number.clamp(0.0, 1.0)))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Ratio {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        match (0.0..=1.0).contains(&number) {
            true => Ok(Ratio(number)),
            false => Err(format!("{number} is not between 0 and 1")),
        }
    }
}

impl Body {
    /// This, with what is left out here taken from an earlier one.
    #[must_use]
    pub fn or(self, earlier: &Body) -> Body {
        Body {
            timestamp: self.timestamp,
            sequence: self.sequence,
            state: self.state.or(earlier.state),
            progress: self.progress.or(earlier.progress),
            records_count: self.records_count.or(earlier.records_count),
            records_total: self.records_total.or(earlier.records_total),
            records_filtered_count: self.records_filtered_count.or(earlier.records_filtered_count),
            bytes_count: self.bytes_count.or(earlier.bytes_count),
            bytes_total: self.bytes_total.or(earlier.bytes_total),
            segments_count: self.segments_count.or(earlier.segments_count),
            segments_total: self.segments_total.or(earlier.segments_total),
            errors_count: self.errors_count.or(earlier.errors_count),
            message: self.message.or_else(|| earlier.message.clone()),
            plan: self.plan.or_else(|| earlier.plan.clone()),
            partitions: if self.partitions.is_empty() { earlier.partitions.clone() } else { self.partitions },
        }
    }
}

/// The JSON schema of a body, with examples.
#[must_use]
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Body>().to_value();
    schema["examples"] = examples();
    schema
}

/// A restore from its beginning to its end.
fn examples() -> Value {
    json!([
        { "timestamp": 1_700_000_000_000_i64, "recordsTotal": 947, "bytesTotal": 11_328_438 },
        { "timestamp": 1_700_000_015_000_i64, "state": 100, "progress": 0.4013, "recordsCount": 380, "bytesCount": 4_545_802 },
        { "timestamp": 1_700_000_031_000_i64, "state": 800, "progress": 1, "recordsCount": 947, "bytesCount": 11_328_438 },
        { "state": 900, "message": "topic orders-copy was deleted while records were written to it" },
        {},
    ])
}

fn message<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let message = Option::<String>::deserialize(deserializer)?;
    let is_too_long = message.as_ref().is_some_and(|text| text.chars().count() > MESSAGE_CHARS_MAX);
    let too_long = || serde::de::Error::custom(format!("a message has at most {MESSAGE_CHARS_MAX} characters"));
    if is_too_long { Err(too_long()) } else { Ok(message) }
}

fn partitions<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<PartitionFigures>, D::Error> {
    let partitions = Vec::<PartitionFigures>::deserialize(deserializer)?;
    let too_many =
        || serde::de::Error::custom(format!("at most {PARTITIONS_MAX} partitions have figures of their own"));
    if partitions.len() > PARTITIONS_MAX { Err(too_many()) } else { Ok(partitions) }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
