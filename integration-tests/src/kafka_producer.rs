//! Producing any record Kafka can hold, through the C client: its safe wrapper takes header names as text only.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_void},
    ptr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rdkafka::{
    ClientContext, Message as _,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext},
};
use rdkafka_sys::{
    RDKafkaErrorCode,
    bindings::{
        RD_KAFKA_MSG_F_COPY, rd_kafka_error_code, rd_kafka_error_destroy, rd_kafka_error_string, rd_kafka_header_add,
        rd_kafka_headers_destroy, rd_kafka_headers_new, rd_kafka_headers_t, rd_kafka_produceva, rd_kafka_vtype_t,
        rd_kafka_vu_s__bindgen_ty_1 as Argument, rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 as Memory, rd_kafka_vu_t,
    },
};
use shared::record::Header;

use crate::{eventually::eventually, kafka::Kafka};

const PATIENCE: Duration = Duration::from_secs(60);

/// A record to produce.
#[derive(Debug, Clone, Default)]
pub struct NewRecord {
    /// The partition; `None`: chosen by the key's hash.
    pub partition: Option<i32>,
    /// The key; `None` is a null key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// The timestamp in milliseconds since 1970, above 0; `None`: now.
    pub timestamp_ms: Option<i64>,
}

impl NewRecord {
    /// A record with a value and nothing else.
    pub fn new(value: impl Into<Bytes>) -> Self {
        NewRecord { value: Some(value.into()), ..NewRecord::default() }
    }

    /// A record with a null value.
    pub fn tombstone(key: impl Into<Bytes>) -> Self {
        NewRecord { key: Some(key.into()), ..NewRecord::default() }
    }

    /// The record with this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The record in this partition.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The record with this timestamp, in milliseconds since 1970.
    #[must_use]
    pub fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// The record with one more header; `None` is a null value.
    #[must_use]
    pub fn header(mut self, name: impl Into<Bytes>, value: Option<Bytes>) -> Self {
        self.headers.push(Header { name: name.into(), value });
        self
    }
}

/// Where a record came to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// A producer; cheap to clone.
#[derive(Clone)]
pub struct Producer {
    client: Arc<BaseProducer<Deliveries>>,
    /// Asks for the ends of logs.
    ends: Arc<BaseConsumer>,
    /// The last offset of each partition that was written since the last transaction ended.
    written: Arc<Mutex<BTreeMap<(String, i32), i64>>>,
}

impl Kafka {
    /// Produces records and waits until all are acknowledged; gives their places in the order given.
    pub async fn produce(&self, topic: &str, records: Vec<NewRecord>) -> Vec<Placed> {
        self.producer(&[]).await.send(topic, records).await
    }

    /// A producer with these settings beside the usual ones.
    pub async fn producer(&self, settings: &[(&str, &str)]) -> Producer {
        let mut config = self.client_config();
        config.set("acks", "all").set("linger.ms", "2");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        let producer = config.create_with_context(Deliveries::default()).expect("a producer with these settings");
        let ends = self.client_config().create().expect("a consumer");
        Producer { client: Arc::new(producer), ends: Arc::new(ends), written: Arc::default() }
    }

    /// A producer of transactions under this transactional id, which fences whoever had it before.
    pub async fn transactional_producer(&self, transactional_id: &str) -> Producer {
        let producer = self.producer(&[("transactional.id", transactional_id)]).await;
        producer.blocking(|producer| producer.init_transactions(PATIENCE)).await.expect("init_transactions");
        producer
    }
}

impl Producer {
    /// Begins a transaction.
    pub fn begin(&self) {
        self.client.begin_transaction().expect("begin_transaction");
    }

    /// Commits the transaction; readers see that when this returns.
    pub async fn commit(&self) {
        self.blocking(|producer| producer.commit_transaction(PATIENCE)).await.expect("commit_transaction");
        self.wait_for_markers().await;
    }

    /// Aborts the transaction; readers see that when this returns.
    pub async fn abort(&self) {
        self.blocking(|producer| producer.abort_transaction(PATIENCE)).await.expect("abort_transaction");
        self.wait_for_markers().await;
    }

    /// Kafka answers before it writes the markers to the logs.
    async fn wait_for_markers(&self) {
        let written = std::mem::take(&mut *self.written.lock().expect("no holder panicked"));
        for ((topic, partition), last) in written {
            eventually(&format!("the marker of {topic}-{partition}"), PATIENCE, || async {
                let (ends, topic) = (self.ends.clone(), topic.clone());
                let ask = move || ends.fetch_watermarks(&topic, partition, PATIENCE);
                let (_, end) = tokio::task::spawn_blocking(ask).await.expect("no panic").map_err(|e| e.to_string())?;
                if end >= last + 2 { Ok(()) } else { Err(format!("the log ends at {end}")) }
            })
            .await;
        }
    }

    /// Sends records and waits until all are acknowledged; gives their places in the order given.
    pub async fn send(&self, topic: &str, records: Vec<NewRecord>) -> Vec<Placed> {
        let name = CString::new(topic).expect("a topic's name holds no zero byte");
        let placed: Vec<Placed> = self
            .blocking(move |producer| {
                for (number, record) in records.iter().enumerate() {
                    while !enqueue(producer, &name, number, record) {
                        producer.poll(Duration::from_millis(10));
                    }
                }
                producer.flush(PATIENCE).expect("all records are acknowledged in time");
                producer.context().take(records.len())
            })
            .await;
        let mut written = self.written.lock().expect("no holder panicked");
        for Placed { partition, offset } in &placed {
            written.insert((topic.to_owned(), *partition), *offset);
        }
        placed
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&BaseProducer<Deliveries>) -> T + Send + 'static,
    ) -> T {
        let producer = Arc::clone(&self.client);
        tokio::task::spawn_blocking(move || work(&producer)).await.expect("the producer's work did not panic")
    }
}

/// Collects acknowledgements by the number under which a record was sent.
#[derive(Default)]
struct Deliveries(Mutex<BTreeMap<usize, Placed>>);

impl Deliveries {
    fn take(&self, count: usize) -> Vec<Placed> {
        let placed = std::mem::take(&mut *self.0.lock().expect("no delivery panicked"));
        assert_eq!(placed.len(), count, "every record is acknowledged once; two sends at once on one producer?");
        placed.into_values().collect()
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        match result {
            Ok(message) => {
                let placed = Placed { partition: message.partition(), offset: message.offset() };
                self.0.lock().expect("no delivery panicked").insert(number, placed);
            }
            Err((error, _)) => eprintln!("record {number} was not delivered: {error}"),
        }
    }
}

/// Puts a record into the producer's queue; `false` when that is full.
fn enqueue(producer: &BaseProducer<Deliveries>, topic: &CStr, number: usize, record: &NewRecord) -> bool {
    use rd_kafka_vtype_t::{
        RD_KAFKA_VTYPE_HEADERS as HEADERS, RD_KAFKA_VTYPE_KEY as KEY, RD_KAFKA_VTYPE_MSGFLAGS as MSGFLAGS,
        RD_KAFKA_VTYPE_OPAQUE as OPAQUE, RD_KAFKA_VTYPE_PARTITION as PARTITION, RD_KAFKA_VTYPE_TIMESTAMP as TIMESTAMP,
        RD_KAFKA_VTYPE_TOPIC as TOPIC, RD_KAFKA_VTYPE_VALUE as VALUE,
    };
    let headers = native_headers(&record.headers);
    let arguments = [
        argument(TOPIC, Argument { cstr: topic.as_ptr() }),
        argument(PARTITION, Argument { i32_: record.partition.unwrap_or(-1) }),
        argument(MSGFLAGS, Argument { i: RD_KAFKA_MSG_F_COPY }),
        argument(KEY, Argument { mem: memory(record.key.as_ref()) }),
        argument(VALUE, Argument { mem: memory(record.value.as_ref()) }),
        argument(TIMESTAMP, Argument { i64_: record.timestamp_ms.unwrap_or(0) }),
        argument(OPAQUE, Argument { ptr: number as *mut c_void }),
        argument(HEADERS, Argument { headers }),
    ];
    // SAFETY: the client lives as long as `producer`; every pointer outlives the call, which copies key and value.
    let error = unsafe { rd_kafka_produceva(producer.client().native_ptr(), arguments.as_ptr(), arguments.len()) };
    if error.is_null() {
        return true; // the headers belong to the client now
    }
    // SAFETY: after a failure the headers are still ours; `error` is valid until it is destroyed, once.
    let (code, text) = unsafe {
        rd_kafka_headers_destroy(headers);
        let code = RDKafkaErrorCode::from(rd_kafka_error_code(error));
        let text = CStr::from_ptr(rd_kafka_error_string(error)).to_string_lossy().into_owned();
        rd_kafka_error_destroy(error);
        (code, text)
    };
    assert_eq!(code, RDKafkaErrorCode::QueueFull, "cannot produce to {topic:?}: {text}");
    false
}

fn argument(vtype: rd_kafka_vtype_t, u: Argument) -> rd_kafka_vu_t {
    rd_kafka_vu_t { vtype, u }
}

/// A null pointer is a null key or value; an empty one has an address.
fn memory(bytes: Option<&Bytes>) -> Memory {
    bytes.map_or(Memory { ptr: ptr::null_mut(), size: 0 }, |bytes| Memory {
        ptr: bytes.as_ptr().cast_mut().cast(),
        size: bytes.len(),
    })
}

fn native_headers(headers: &[Header]) -> *mut rd_kafka_headers_t {
    // SAFETY: the list is new and ours; names and values are copied, with the lengths given.
    unsafe {
        let list = rd_kafka_headers_new(headers.len());
        for header in headers {
            let value = memory(header.value.as_ref());
            let (name, name_bytes) = (header.name.as_ptr().cast(), header.name.len() as isize);
            let code = rd_kafka_header_add(list, name, name_bytes, value.ptr, value.size as isize);
            assert_eq!(RDKafkaErrorCode::from(code), RDKafkaErrorCode::NoError, "cannot add header {header:?}");
        }
        list
    }
}
