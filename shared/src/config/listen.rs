//! `[listen]`: where the runner's HTTP ports are.

use std::{borrow::Cow, fmt, path::PathBuf, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{network::Network, secret::Secret, units::text_setting};

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

/// A host's name, or `*.` and the end of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

impl HostPattern {
    /// Whether it is the name of this host, given without a port.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(end) => host.len() > end.len() && host.to_ascii_lowercase().ends_with(end),
            None => host.eq_ignore_ascii_case(&self.0),
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if letters && !name.is_empty() && !name.starts_with('.') {
            return Ok(HostPattern(text.to_ascii_lowercase()));
        }
        Err(format!(
            "{text:?} is no host: write a name without a port, as in \"backup.example.org\" or \"*.example.org\""
        ))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_setting!(HostPattern, "backup.example.org");

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
    /// AWS Lambda's Invoke API.
    pub invoke: Listen,
    /// The console.
    pub console: Listen,
    /// Who may ask at any of them, as networks (`10.0.0.0/8`); others get 403. Empty: everyone who reaches them.
    pub allow_addresses: Vec<Network>,
    /// The names by which they are asked, beside addresses, `localhost` and the hosts above: `backup.example.org`, or
    /// `*.example.org`. Pages of these hosts may send requests too.
    pub allowed_hosts: Vec<HostPattern>,
    /// What a request that changes state brings as `Authorization: Bearer TOKEN`. Where it is not set, such requests are
    /// answered on the loopback only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// A file with the certificate chain (PEM), the server's own certificate first. With it other machines must speak TLS;
    /// this machine may also do without. It is read again every minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate_file: Option<PathBuf>,
    /// A file with the certificate's private key (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        let loopback = |port: u16| Listen::At(format!("127.0.0.1:{port}"));
        ListenSettings {
            metrics: loopback(9000),
            gateway: loopback(8082),
            query: loopback(8900),
            invoke: loopback(3001),
            console: loopback(8080),
            allow_addresses: vec![],
            allowed_hosts: vec![],
            token: None,
            tls_certificate_file: None,
            tls_key_file: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_the_end_of_names() {
        let matches = |pattern: &str, host| pattern.parse::<HostPattern>().unwrap().matches(host);
        assert!(matches("Backup.example.org", "backup.EXAMPLE.org"));
        assert!(matches("*.example.org", "a.b.Example.org"));
        assert!(!matches("*.example.org", "example.org") && !matches("*.example.org", "badexample.org"));
        for text in ["", "*", "*.", "http://a", "a:80", "a b", ".a"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }

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
