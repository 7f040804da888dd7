//! `[lambda]`: how functions that are deployed on AWS Lambda find each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::storage::EndpointUrl;

/// Functions that are deployed on AWS Lambda. What `highwater` hosts needs none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LambdaSettings {
    /// What stands before a function's name where it is deployed: `prod-` for `prod-metrics-aggregator`.
    pub function_prefix: String,
    /// Whether segment-writer's Kafka mapping has `ReportBatchItemFailures`: then only the partitions that failed come again,
    /// else the whole event.
    pub report_batch_item_failures: bool,
    /// An Invoke API other than AWS's, as `highwater serve` has one: `http://host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<EndpointUrl>,
}
