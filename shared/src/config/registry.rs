//! `[schema_registry]` and `[target_schema_registry]`: where schemas are.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{secret::Secret, units::Span};

/// A schema registry that speaks Confluent's REST API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistrySettings {
    /// Its address, `http://host:8081`, with the path below which the API is where it has one.
    pub url: String,
    /// Who asks, where the registry wants that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password that goes with `username`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A token that is sent instead of a name and a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// A PEM file with the authority that signed the registry's certificate, where the platform does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The name under which the storage keeps its schemas.
    #[serde(default = "name")]
    pub name: String,
    /// How often it is backed up.
    #[serde(default = "every")]
    pub every: Span,
}

impl RegistrySettings {
    /// The registry at `url`, everything else as by default.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        RegistrySettings {
            url: url.into(),
            username: None,
            password: None,
            token: None,
            ca_file: None,
            name: name(),
            every: every(),
        }
    }
}

fn name() -> String {
    "default".to_owned()
}

fn every() -> Span {
    Span(Duration::from_secs(3_600))
}
