//! `[otlp]`: where traces and figures are sent beside `/metrics`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::storage::EndpointUrl;

/// An OpenTelemetry collector that gets traces and figures by OTLP over HTTP. Absent: nothing is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpSettings {
    /// The collector's base URL, as in `http://collector:4318`; `/v1/traces` and `/v1/metrics` are added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<EndpointUrl>,
}
