//! A producer that writes in transactions.
#![allow(clippy::disallowed_methods, reason = "an adapter measures how long the brokers take")]

use std::{
    collections::BTreeMap,
    error::Error,
    ffi::CString,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::BorrowedMessage,
    producer::{DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer},
    util::IntoOpaque as _,
};
use rdkafka_sys::bindings as sys;
use tokio::sync::Notify;

use super::{
    context::ClientState,
    errors::{self, Errors},
    login::Login,
    native,
    produce::{self, Sent},
};
use crate::{
    blocking,
    ports::transactions::{Acknowledged, OffsetRun, TransactionError, TransactionalProducer, push_offset},
    record::{Millis, Offset, Record, TopicPartition},
};

const OPERATION: &str = "write in a transaction";
/// A full send queue is tried again at the latest after so long.
const QUEUE_FULL_WAIT_MAX: Duration = Duration::from_millis(100);
/// So long a step of the protocol may take before it is given up: longer than brokers take to elect leaders.
const STEP_WITHIN: Duration = Duration::from_secs(120);

type Client = ThreadedProducer<Deliveries>;

/// A producer under a transactional id.
pub(super) struct Transactional {
    client: Arc<Client>,
    errors: Errors,
    id: Arc<str>,
    sent: BTreeMap<TopicPartition, Arc<Sending>>,
    pending: Arc<Pending>,
}

/// What the client says about deliveries and itself.
struct Deliveries {
    state: ClientState,
}

/// How many records of the producer are not acknowledged yet.
#[derive(Default)]
struct Pending {
    count: AtomicUsize,
    progress: Notify,
}

/// The records that were sent to one partition.
struct Sending {
    name: CString,
    pending: Arc<Pending>,
    /// How many there are.
    queued: AtomicU64,
    outcome: Mutex<Outcome>,
}

/// What became of them so far. The brokers acknowledge those of a partition in the order in which they were sent.
#[derive(Default)]
struct Outcome {
    delivered: u64,
    runs: Vec<OffsetRun>,
    /// The first that was not taken: how many came before it, and why.
    failed: Option<(u64, Code, String)>,
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
    type DeliveryOpaque = Arc<Sending>;

    fn delivery(&self, result: &DeliveryResult<'_>, sending: Arc<Sending>) {
        match result {
            Ok(message) => {
                self.state.clear();
                sending.lock().delivered_at(message.offset());
            }
            Err((error, message)) => {
                sending.lock().failed(error.rdkafka_error_code().unwrap_or(Code::Fail), reason(message));
            }
        }
        sending.pending.count.fetch_sub(1, Ordering::AcqRel);
        sending.pending.progress.notify_one();
    }
}

/// What the broker said of a record it does not take.
fn reason(message: &BorrowedMessage<'_>) -> String {
    // SAFETY: the message is valid, and its text is copied.
    unsafe { native::text(sys::rd_kafka_message_errstr(message.ptr())) }
}

impl Sending {
    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outcome {
    fn delivered_at(&mut self, offset: i64) {
        self.delivered += 1;
        push_offset(&mut self.runs, Offset(offset));
    }

    /// Keeps the first that says something of itself: a whole batch is refused for one record.
    fn failed(&mut self, code: Code, reason: String) {
        let says_nothing = |code| matches!(code, Code::InvalidDifferentRecord | Code::PurgeQueue | Code::PurgeInflight);
        if self.failed.as_ref().is_none_or(|(_, code, _)| says_nothing(*code)) {
            self.failed = Some((self.delivered, code, reason));
        }
        self.delivered += 1;
    }
}

impl Transactional {
    /// Takes the id over.
    pub(super) async fn take_over(
        config: &ClientConfig,
        login: Option<Arc<Login>>,
        errors: Errors,
        transactional_id: &str,
    ) -> Result<Self, TransactionError> {
        let client: Client = config
            .create_with_context(Deliveries { state: ClientState::new(login) })
            .map_err(|error| super::not_made(&error))?;
        let producer = Transactional {
            client: Arc::new(client),
            errors,
            id: transactional_id.into(),
            sent: BTreeMap::new(),
            pending: Arc::default(),
        };
        producer.step("take over a transactional id", Client::init_transactions).await?;
        Ok(producer)
    }

    /// One step of the protocol, tried again where the client says that this may help.
    async fn step(
        &self,
        operation: &'static str,
        step: fn(&Client, Duration) -> Result<(), KafkaError>,
    ) -> Result<(), TransactionError> {
        let (client, wait) = (self.client.clone(), self.errors.request_timeout);
        let stepped = blocking::run(move || {
            let began = Instant::now();
            loop {
                match step(&client, wait) {
                    Err(KafkaError::Transaction(error)) if error.is_retriable() && began.elapsed() < STEP_WITHIN => {
                        // A client that cannot log in, or reach anybody, does not get better by being asked.
                        if client.client().context().state.trouble().refused.is_some() {
                            return Err(KafkaError::Transaction(error));
                        }
                    }
                    done => return done,
                }
            }
        });
        stepped.await.map_err(|error| self.failed(operation, &error))
    }

    fn failed(&self, operation: &'static str, error: &KafkaError) -> TransactionError {
        let trouble = self.client.client().context().state.trouble();
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        let KafkaError::Transaction(error) = error else { return self.fatal(code, &error.to_string()) };
        if let Some((code, said)) = trouble.refused.filter(|_| !error.txn_requires_abort()) {
            return self.errors.of(operation, &self.id, code, &said).into();
        }
        match () {
            () if error.is_fatal() => self.fatal(code, &error.string()),
            () if error.txn_requires_abort() => self.broken(&error.string()),
            () if error.is_retriable() => self.errors.no_answer(operation, trouble.reason).into(),
            () => self.fatal(code, &error.string()),
        }
    }

    fn broken(&self, message: &str) -> TransactionError {
        TransactionError::Broken { transactional_id: self.id.clone(), message: message.to_owned() }
    }

    fn fatal(&self, code: Code, message: &str) -> TransactionError {
        let transactional_id = self.id.clone();
        match code {
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
                TransactionError::Fenced { transactional_id }
            }
            _ => TransactionError::Fatal { transactional_id, message: message.to_owned() },
        }
    }

    /// Why a record was not taken, as an error of the transaction.
    fn not_taken(&self, partition: &TopicPartition, index: u64, code: Code, reason: &str) -> TransactionError {
        if let Some((code, message)) = self.client.client().fatal_error() {
            return self.fatal(code, &message);
        }
        match code {
            Code::MessageSizeTooLarge | Code::InvalidTimestamp | Code::InvalidRecord => {
                let message = format!("{reason} ({code})");
                TransactionError::RecordRefused { partition: partition.clone(), index, message }
            }
            code if errors::is_refusal(code) || errors::is_unknown(code) => {
                self.errors.of(OPERATION, &partition.to_string(), code, reason).into()
            }
            code => self.broken(&format!("{partition}: {reason} ({code})")),
        }
    }

    fn sending(&mut self, to: &TopicPartition) -> Result<Arc<Sending>, TransactionError> {
        if let Some(sending) = self.sent.get(to) {
            return Ok(sending.clone());
        }
        let name = CString::new(&*to.topic)
            .map_err(|_| self.errors.of(OPERATION, &to.topic, Code::InvalidTopic, "a zero byte in its name"))?;
        let sending = Arc::new(Sending {
            name,
            pending: self.pending.clone(),
            queued: AtomicU64::new(0),
            outcome: Mutex::default(),
        });
        self.sent.insert(to.clone(), sending.clone());
        Ok(sending)
    }

    /// Puts a record on the send queue, waiting while that is full.
    async fn send_one(&self, to: &TopicPartition, sending: &Arc<Sending>, record: &Record) -> Result<(), Code> {
        loop {
            match self.enqueue(to, sending, record) {
                Err(Code::QueueFull) => {
                    drop(tokio::time::timeout(QUEUE_FULL_WAIT_MAX, self.pending.progress.notified()).await);
                }
                enqueued => return enqueued,
            }
        }
    }

    fn enqueue(&self, to: &TopicPartition, sending: &Arc<Sending>, record: &Record) -> Result<(), Code> {
        let sent = Sent {
            topic: &sending.name,
            partition: to.partition.0,
            timestamp: record.timestamp.0,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
        };
        self.pending.count.fetch_add(1, Ordering::AcqRel);
        let opaque = sending.clone().into_ptr();
        // SAFETY: the client is a producer whose delivery callback takes such a value.
        let enqueued = unsafe { produce::enqueue(self.client.client().native_ptr(), sent, opaque) };
        if enqueued.is_err() {
            self.pending.count.fetch_sub(1, Ordering::AcqRel);
            // SAFETY: the client did not take the message, so no delivery will give the reference back.
            drop(unsafe { Arc::<Sending>::from_ptr(opaque) });
        }
        enqueued
    }
}

#[async_trait]
impl TransactionalProducer for Transactional {
    async fn begin(&mut self) -> Result<(), TransactionError> {
        self.sent.clear();
        self.client.begin_transaction().map_err(|error| self.failed("begin a transaction", &error))
    }

    async fn send(&mut self, to: &TopicPartition, records: &[Record]) -> Result<(), TransactionError> {
        let sending = self.sending(to)?;
        for record in records {
            let sent = match record.timestamp {
                Millis(produce::NOW) => Err((Code::InvalidTimestamp, ZERO_TIMESTAMP)),
                _ => self.send_one(to, &sending, record).await.map_err(|code| (code, NOT_QUEUED)),
            };
            if let Err((code, reason)) = sent {
                return Err(self.not_taken(to, sending.queued.load(Ordering::Relaxed), code, reason));
            }
            sending.queued.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn acknowledged(&mut self) -> Result<Vec<Acknowledged>, TransactionError> {
        while self.pending.count.load(Ordering::Acquire) > 0 {
            self.pending.progress.notified().await;
        }
        let sent = std::mem::take(&mut self.sent);
        let outcome = |(partition, sending): (TopicPartition, Arc<Sending>)| {
            let outcome = std::mem::take(&mut *sending.lock());
            match outcome.failed {
                Some((index, code, reason)) => Err(self.not_taken(&partition, index, code, &reason)),
                None => Ok(Acknowledged { partition, runs: outcome.runs }),
            }
        };
        sent.into_iter().map(outcome).collect()
    }

    async fn commit(&mut self) -> Result<(), TransactionError> {
        self.step("commit a transaction", Client::commit_transaction).await
    }

    async fn abort(&mut self) -> Result<(), TransactionError> {
        self.step("abort a transaction", Client::abort_transaction).await?;
        self.sent.clear();
        Ok(())
    }
}

const NOT_QUEUED: &str = "the client does not take it";
const ZERO_TIMESTAMP: &str = "its timestamp is 0, which librdkafka cannot write: it takes 0 for the present time";
