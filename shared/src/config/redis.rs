//! `[redis]`: where the figures are.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    secret::{Secret, without_credentials},
    units::Span,
};

/// The store of figures: a single Redis, a TLS endpoint, or what Sentinel names. Not Redis Cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:6379][/db]`, `rediss://...` for TLS, or
    /// `redis+sentinel://[user:password@]host[:26379],.../master-name[/db]`. Never shown with its credentials.
    pub url: Secret,
    /// A PEM file with the authority that signed the server's certificate, for `rediss://`; absent: the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long a call may take, connecting included, before Redis counts as down. Below a second, so that a query
    /// answers 503 within one.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

impl RedisSettings {
    /// The store at `url`, everything else as by default.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        RedisSettings { url: Secret::new(url), ca_file: None, timeout: timeout() }
    }

    /// The URL for logs and errors.
    #[must_use]
    pub fn shown_url(&self) -> String {
        without_credentials(self.url.reveal()).into_owned()
    }
}

fn timeout() -> Span {
    Span(Duration::from_millis(750))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_url_shows_nowhere() {
        let settings = RedisSettings::at("redis://me:hunter2@host:6379/0");
        assert_eq!(settings.shown_url(), "redis://***@host:6379/0");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn only_the_url_is_required_and_an_unknown_setting_is_refused() {
        let settings: RedisSettings = toml::from_str("url = \"redis://localhost\"").unwrap();
        assert_eq!(settings, RedisSettings::at("redis://localhost"));
        let error = toml::from_str::<RedisSettings>("url = \"redis://localhost\"\ntimout = \"1s\"").unwrap_err();
        assert!(error.to_string().contains("unknown field `timout`"), "{error}");
    }
}
