//! The HTTP ports of a host.

use shared::config::listen::{Listen, ListenSettings};

/// A listener, by the name of its setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Prometheus and probes.
    Metrics,
    /// Backbeat's routes and our own beside them.
    Query,
    /// AWS Lambda's Invoke API.
    Invoke,
    /// The event gateway.
    Gateway,
    /// The console.
    Console,
}

impl Port {
    /// All of them.
    pub const ALL: [Port; 5] = [Port::Metrics, Port::Query, Port::Invoke, Port::Gateway, Port::Console];

    /// The name of its setting.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Port::Metrics => "metrics",
            Port::Query => "query",
            Port::Invoke => "invoke",
            Port::Gateway => "gateway",
            Port::Console => "console",
        }
    }

    /// Its setting.
    #[must_use]
    pub fn setting(self, settings: &ListenSettings) -> &Listen {
        match self {
            Port::Metrics => &settings.metrics,
            Port::Query => &settings.query,
            Port::Invoke => &settings.invoke,
            Port::Gateway => &settings.gateway,
            Port::Console => &settings.console,
        }
    }
}
