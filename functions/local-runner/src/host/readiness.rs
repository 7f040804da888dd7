//! Whether the hosted functions can do their work now: each port answers.

use std::{sync::Arc, time::Duration};

use shared::{
    ports::{
        objects::{ListRequest, Objects},
        records::Kafka,
        store::{Query, Store},
    },
    record::Millis,
};
use tokio::{sync::Mutex, time::timeout};

use super::ports::Ports;
use crate::output;

/// A port that takes longer counts as not answering.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// An answer holds so long: probes cost nothing however often they come.
const HOLDS_MS: i64 = 1_000;

/// Asks the ports, at most once a second.
#[derive(Clone)]
pub struct Readiness {
    ports: Ports,
    last: Arc<Mutex<Option<Known>>>,
}

/// What did not answer, and when it was asked.
struct Known {
    asked_at: Millis,
    missing: Vec<String>,
}

impl Readiness {
    /// Of these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Readiness { ports, last: Arc::default() }
    }

    /// What does not answer, and why; empty: ready.
    pub async fn missing(&self) -> Vec<String> {
        let mut last = self.last.lock().await;
        let asked_at = self.ports.clock.now();
        let holds = |known: &&Known| (0..HOLDS_MS).contains(&(asked_at.0 - known.asked_at.0));
        if let Some(known) = last.as_ref().filter(holds) {
            return known.missing.clone();
        }
        let missing = ask(&self.ports).await;
        *last = Some(Known { asked_at, missing: missing.clone() });
        missing
    }
}

async fn ask(ports: &Ports) -> Vec<String> {
    let (kafka, objects, store) = tokio::join!(
        answers("kafka", ports.kafka.as_deref().map(ask_kafka)),
        answers("storage", ports.objects.as_deref().map(ask_storage)),
        answers("redis", ports.store.as_deref().map(ask_store)),
    );
    [kafka, objects, store].into_iter().flatten().collect()
}

async fn answers(name: &str, question: Option<impl Future<Output = Result<(), String>>>) -> Option<String> {
    let answer = timeout(ANSWER_TIMEOUT, question?).await;
    let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {ANSWER_TIMEOUT:?}")));
    answer.err().map(|why| format!("{name}: {why}"))
}

async fn ask_kafka(kafka: &dyn Kafka) -> Result<(), String> {
    kafka.topics(Some(&[])).await.map(drop).map_err(|error| output::chain(&error))
}

async fn ask_storage(objects: &dyn Objects) -> Result<(), String> {
    let request = ListRequest { limit: 1, ..ListRequest::prefix("=probe/") };
    objects.list(request).await.map(drop).map_err(|error| output::chain(&error))
}

async fn ask_store(store: &dyn Store) -> Result<(), String> {
    let question = [Query::Text("hw1:ready".to_owned())];
    store.read(&question).await.map(drop).map_err(|error| output::chain(&error))
}
