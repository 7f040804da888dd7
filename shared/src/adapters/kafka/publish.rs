//! Publishing: all messages of a call, each acknowledged by all in-sync replicas.

use std::{
    error::Error,
    ffi::CString,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer},
    util::IntoOpaque as _,
};
use tokio::sync::Notify;

use super::{
    context::ClientState,
    errors::Errors,
    login::Login,
    produce::{self, Sent},
};
use crate::ports::records::{Message, RecordsError};

const OPERATION: &str = "publish";
/// A full send queue is tried again at the latest after so long.
const QUEUE_FULL_WAIT_MAX: Duration = Duration::from_millis(100);

/// The client that publishes.
pub(super) struct Producer {
    client: ThreadedProducer<Deliveries>,
    errors: Errors,
}

/// What the client says about deliveries and itself.
struct Deliveries {
    state: ClientState,
}

/// The messages of one call that are not acknowledged yet.
struct Batch {
    waiting: AtomicUsize,
    first_error: OnceLock<Code>,
    progress: Notify,
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.state.generate_oauth_token(config)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.state.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.state.error(error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = Arc<Batch>;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: Arc<Batch>) {
        match result {
            Ok(_) => self.state.clear(),
            Err((error, _)) => batch.fail(error.rdkafka_error_code().unwrap_or(Code::Fail)),
        }
        batch.waiting.fetch_sub(1, Ordering::AcqRel);
        batch.progress.notify_one();
    }
}

impl Batch {
    /// Keeps the first error only: the later ones follow from it.
    fn fail(&self, code: Code) {
        self.first_error.get_or_init(|| code);
    }
}

impl Producer {
    pub(super) fn new(config: &ClientConfig, login: Option<Arc<Login>>, errors: Errors) -> Result<Self, KafkaError> {
        Ok(Producer { client: config.create_with_context(Deliveries { state: ClientState::new(login) })?, errors })
    }

    /// Sends all messages, and returns when each is acknowledged or given up.
    pub(super) async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        let name = CString::new(topic).map_err(|_| self.failed(topic, Code::UnknownTopic))?;
        let batch =
            Arc::new(Batch { waiting: AtomicUsize::new(0), first_error: OnceLock::new(), progress: Notify::new() });
        for message in &messages {
            self.send(&name, message, &batch).await;
            if batch.first_error.get().is_some() {
                break;
            }
        }
        while batch.waiting.load(Ordering::Acquire) > 0 {
            batch.progress.notified().await;
        }
        batch.first_error.get().map_or(Ok(()), |code| Err(self.failed(topic, *code)))
    }

    /// Puts a message on the send queue, waiting while that is full.
    async fn send(&self, topic: &CString, message: &Message, batch: &Arc<Batch>) {
        batch.waiting.fetch_add(1, Ordering::AcqRel);
        loop {
            match self.enqueue(topic, message, batch) {
                Ok(()) => return,
                Err(Code::QueueFull) => {
                    drop(tokio::time::timeout(QUEUE_FULL_WAIT_MAX, batch.progress.notified()).await);
                }
                Err(code) => {
                    batch.waiting.fetch_sub(1, Ordering::AcqRel);
                    return batch.fail(code);
                }
            }
        }
    }

    fn enqueue(&self, topic: &CString, message: &Message, batch: &Arc<Batch>) -> Result<(), Code> {
        let sent = Sent {
            topic,
            partition: message.partition.map_or(produce::BY_KEY, |partition| partition.0),
            timestamp: produce::NOW,
            key: message.key.as_deref(),
            value: message.value.as_deref(),
            headers: &message.headers,
        };
        let opaque = batch.clone().into_ptr();
        // SAFETY: the client is a producer whose delivery callback takes such a batch.
        let enqueued = unsafe { produce::enqueue(self.client.client().native_ptr(), sent, opaque) };
        if enqueued.is_err() {
            // SAFETY: the client did not take the message, so no delivery will give the reference back.
            drop(unsafe { Arc::<Batch>::from_ptr(opaque) });
        }
        enqueued
    }

    fn failed(&self, topic: &str, code: Code) -> RecordsError {
        let trouble = self.client.client().context().state.trouble();
        match (trouble.refused, code) {
            (Some((code, said)), _) => self.errors.of(OPERATION, topic, code, &said),
            (None, Code::MessageTimedOut) => self.errors.no_answer(OPERATION, trouble.reason),
            (None, code) => self.errors.of(OPERATION, topic, code, ""),
        }
    }
}
