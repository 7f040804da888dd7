//! `[listen]`: where the runner's HTTP ports are.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{network::Network, units::text_setting};

const OFF: &str = "off";

/// Where a listener is, if anywhere: `host:port`, or `off`. Port 0 lets the machine choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// It is not opened.
    Off,
    /// It is opened at this `host:port`.
    At(String),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == OFF {
            return Ok(Listen::Off);
        }
        let parts = text.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        parts
            .map(|_| Listen::At(text.to_owned()))
            .ok_or_else(|| format!("{text:?} is no address: write host:port, as in \"127.0.0.1:9000\", or \"off\""))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Off => f.write_str(OFF),
            Listen::At(address) => f.write_str(address),
        }
    }
}

text_setting!(Listen, "127.0.0.1:9000");

/// The runner's listeners: an address, or "off". All on the loopback unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSettings {
    /// `/metrics` for Prometheus, `/healthz` and `/readyz`.
    pub metrics: Listen,
    /// The event gateway, which jobs push their progress to.
    pub gateway: Listen,
    /// Backbeat's metrics routes.
    pub query: Listen,
    /// Who may ask for Backbeat's metrics, as networks (`10.0.0.0/8`); others get 403. Empty: everyone who reaches it.
    pub query_allow: Vec<Network>,
    /// AWS Lambda's Invoke API.
    pub invoke: Listen,
    /// The console.
    pub console: Listen,
}

impl Default for ListenSettings {
    fn default() -> Self {
        let loopback = |port: u16| Listen::At(format!("127.0.0.1:{port}"));
        ListenSettings {
            metrics: loopback(9000),
            gateway: loopback(8082),
            query: loopback(8900),
            query_allow: Vec::new(),
            invoke: loopback(3001),
            console: loopback(8080),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_has_an_address_or_is_off() {
        assert_eq!("off".parse(), Ok(Listen::Off));
        for address in ["127.0.0.1:9000", "localhost:0", "[::1]:9000", "0.0.0.0:65535"] {
            assert_eq!(address.parse(), Ok(Listen::At(address.into())));
        }
        for text in ["", "9000", ":9000", "localhost", "localhost:", "localhost:65536", "OFF"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}
