//! What the function has at hand.

use std::{sync::Arc, time::Duration};

use shared::{
    config::Settings,
    metrics::backbeat::keys::Windows,
    ports::{clock::Clock, invoker::Invoker, records::Kafka, store::Store},
    runs::RunLog,
};

use crate::NAME;

/// The function's ports and settings.
#[derive(Clone)]
pub struct Context {
    /// Kafka.
    pub kafka: Arc<dyn Kafka>,
    /// Calls metrics-aggregator.
    pub invoker: Arc<dyn Invoker>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is told of the drains.
    pub runs: Arc<RunLog>,
    /// The metrics topic's name.
    pub topic: Arc<str>,
    /// How time is cut.
    pub windows: Windows,
    /// How long.
    pub limits: Limits,
}

impl Context {
    /// A context by the settings. Its drains are counted in `store`, where there is one.
    #[must_use]
    pub fn of(
        settings: &Settings,
        kafka: Arc<dyn Kafka>,
        invoker: Arc<dyn Invoker>,
        store: Option<Arc<dyn Store>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let refresh = Duration::from_secs(settings.metrics.refresh_s.into());
        Context {
            kafka,
            invoker,
            clock,
            runs: Arc::new(RunLog::new(NAME, store)),
            topic: settings.metrics.topic.as_str().into(),
            windows: settings.metrics.windows(),
            limits: Limits { refresh, ..Limits::default() },
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often [`crate::follow`] looks whether the store still has what was counted, and the topic its id.
    pub refresh: Duration,
    /// The first wait after a failure; it doubles.
    pub backoff_min: Duration,
    /// The longest wait between two attempts.
    pub backoff_max: Duration,
    /// How long a drain or an event waits for Kafka to send something.
    pub silence_max: Duration,
    /// How long before its time is over a drain or an event reads no further.
    pub margin: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            refresh: Duration::from_secs(15),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            silence_max: Duration::from_secs(30),
            margin: Duration::from_secs(5),
        }
    }
}
