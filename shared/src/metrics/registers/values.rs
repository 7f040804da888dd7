//! What the registers hold, as JSON. What an order says is not said again.

use serde::{Deserialize, Serialize};

use crate::{
    chain::{ChainDigest, Marks, Totals, totals::is_zero},
    job::State,
    metrics::standing::{CamelTotals, Earlier, Job, Oldest, OpenTransaction},
    ports::records::Retention,
    record::{Millis, Offset, TopicId},
};

#[derive(Serialize, Deserialize)]
pub(super) struct HeadValue {
    #[serde(with = "CamelTotals")]
    pub totals: Totals,
    pub digest: ChainDigest,
    #[serde(flatten)]
    pub marks: Marks,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FloorValue {
    #[serde(with = "CamelTotals")]
    pub totals: Totals,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IncarnationValue {
    pub topic_id: TopicId,
}

#[derive(Serialize, Deserialize)]
pub(super) struct JobValue {
    pub state: State,
    pub attempt: u32,
    pub since: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Millis>,
    pub position: Offset,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "divergedFrom")]
    pub diverged_from: Option<Offset>,
}

impl From<&Job> for JobValue {
    fn from(job: &Job) -> Self {
        JobValue {
            state: job.state,
            attempt: job.attempt,
            since: job.since,
            expires: job.expires,
            position: job.position,
            diverged_from: job.diverged_from,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndsValue {
    pub topic_id: TopicId,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub behind_storage: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Oldest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_transaction: Option<OpenTransaction>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstanceValue {
    pub idle_us: u64,
    pub elapsed_us: u64,
    pub expires: Millis,
}
