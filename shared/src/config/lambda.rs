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
    /// An Invoke API other than AWS's, as `highwater serve` has one: `http://host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<EndpointUrl>,
}
