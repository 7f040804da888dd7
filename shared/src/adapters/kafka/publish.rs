//! Publishing: all messages of a call, each acknowledged by all in-sync replicas.

use std::{
    ffi::{CString, c_void},
    os::raw::c_char,
    ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer},
    util::IntoOpaque as _,
};
use rdkafka_sys::bindings as sys;
use sys::{rd_kafka_vtype_t as Tag, rd_kafka_vu_s__bindgen_ty_1 as Value};
use tokio::sync::Notify;

use super::{context::ClientState, errors::Errors, native::Owned};
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
#[derive(Default)]
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
    pub(super) fn new(config: &ClientConfig, errors: Errors) -> Result<Self, KafkaError> {
        Ok(Producer { client: config.create_with_context(Deliveries::default())?, errors })
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
        let headers = headers(message);
        let opaque = batch.clone().into_ptr();
        let list = headers.as_ref().map_or(ptr::null_mut(), Owned::ptr);
        let arguments = [
            argument(Tag::RD_KAFKA_VTYPE_TOPIC, Value { cstr: topic.as_ptr() }),
            argument(Tag::RD_KAFKA_VTYPE_PARTITION, Value { i32_: message.partition.map_or(-1, |p| p.0) }),
            argument(Tag::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: sys::RD_KAFKA_MSG_F_COPY }),
            argument(Tag::RD_KAFKA_VTYPE_KEY, memory(message.key.as_deref())),
            argument(Tag::RD_KAFKA_VTYPE_VALUE, memory(message.value.as_deref())),
            argument(Tag::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque }),
            argument(Tag::RD_KAFKA_VTYPE_HEADERS, Value { headers: list }),
        ];
        // SAFETY: the client copies key and value; it takes the headers over when it takes the message.
        let code = unsafe {
            let error = sys::rd_kafka_produceva(self.client.client().native_ptr(), arguments.as_ptr(), arguments.len());
            let code = Code::from(sys::rd_kafka_error_code(error));
            sys::rd_kafka_error_destroy(error);
            code
        };
        if code == Code::NoError {
            std::mem::forget(headers);
            return Ok(());
        }
        // SAFETY: the client did not take the message, so no delivery will give the reference back.
        drop(unsafe { Arc::<Batch>::from_ptr(opaque) });
        Err(code)
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

/// The headers for the client; `None` for none.
fn headers(message: &Message) -> Option<Owned<sys::rd_kafka_headers_t>> {
    if message.headers.is_empty() {
        return None;
    }
    // SAFETY: the list is ours, and copies names and values; a null value is passed as a null pointer.
    unsafe {
        let list = Owned::new(sys::rd_kafka_headers_new(message.headers.len()), sys::rd_kafka_headers_destroy)?;
        for header in &message.headers {
            let name = header.name.as_ptr().cast::<c_char>();
            let value = header.value.as_ref().map_or(ptr::null(), |value| value.as_ptr().cast::<c_void>());
            let value_bytes = header.value.as_ref().map_or(0, bytes::Bytes::len);
            sys::rd_kafka_header_add(list.ptr(), name, signed(header.name.len()), value, signed(value_bytes));
        }
        Some(list)
    }
}

fn signed(length: usize) -> isize {
    isize::try_from(length).expect("no slice is longer than isize::MAX")
}

fn argument(vtype: Tag, u: Value) -> sys::rd_kafka_vu_t {
    sys::rd_kafka_vu_t { vtype, u }
}

/// Bytes for the client, which tells no bytes from none by the pointer.
fn memory(bytes: Option<&[u8]>) -> Value {
    let (pointer, size) = bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
    Value { mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: pointer.cast_mut().cast(), size } }
}
