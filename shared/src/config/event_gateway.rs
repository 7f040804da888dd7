//! `[event_gateway]`: where jobs push their progress.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::storage::EndpointUrl;

/// Where jobs push their progress. With neither `url` nor `name` they push to the gateway of their own process, where
/// it has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventGatewaySettings {
    /// Whether jobs push their progress.
    pub enabled: bool,
    /// The gateway's address, `http://host:port`; with it, `name`, `namespace` and `port` mean nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<EndpointUrl>,
    /// A PEM file with the authority that signed the certificate of an `https://` gateway, where the platform does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The host name of the gateway, which is its service's name on Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The namespace of that service; empty: the job's own. It is also the namespace that pushes are addressed with.
    pub namespace: String,
    /// The gateway's port.
    pub port: u16,
}

/// The namespace that pushes are addressed with where none is set.
const NAMESPACE: &str = "default";

impl Default for EventGatewaySettings {
    fn default() -> Self {
        EventGatewaySettings {
            enabled: true,
            url: None,
            ca_file: None,
            name: None,
            namespace: String::new(),
            port: 8082,
        }
    }
}

impl EventGatewaySettings {
    /// Where to push; `None`: nowhere. `own` is the gateway of this process.
    #[must_use]
    pub fn address(&self, own: Option<std::net::SocketAddr>) -> Option<String> {
        let EventGatewaySettings { enabled: true, url, name, namespace, port, ca_file: _ } = self else { return None };
        match (url, name, namespace.as_str()) {
            (Some(url), ..) => Some(url.to_string()),
            (None, Some(name), "") => Some(format!("http://{name}:{port}")),
            (None, Some(name), namespace) => Some(format!("http://{name}.{namespace}:{port}")),
            (None, None, _) => own.map(|own| format!("http://{own}")),
        }
    }

    /// The namespace that pushes are addressed with.
    #[must_use]
    pub fn namespace(&self) -> &str {
        if self.namespace.is_empty() { NAMESPACE } else { &self.namespace }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(toml: &str, own: Option<&str>) -> Option<String> {
        let settings: EventGatewaySettings = toml::from_str(toml).unwrap();
        settings.address(own.map(|own| own.parse().unwrap()))
    }

    #[test]
    fn pushes_go_to_the_own_gateway_unless_another_is_named_or_they_are_off() {
        let own = Some("127.0.0.1:8082");
        assert_eq!(address("", own).as_deref(), Some("http://127.0.0.1:8082"));
        assert_eq!(address("", None), None);
        assert_eq!(address("enabled = false", own), None);
        assert_eq!(address("url = \"https://g.example.com\"", own).as_deref(), Some("https://g.example.com"));
        assert_eq!(address("name = \"event-gateway\"", own).as_deref(), Some("http://event-gateway:8082"));
        let elsewhere = "name = \"event-gateway\"\nnamespace = \"backup\"\nport = 80";
        assert_eq!(address(elsewhere, None).as_deref(), Some("http://event-gateway.backup:80"));
    }
}
