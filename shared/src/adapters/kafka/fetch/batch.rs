//! Messages of the C client as records: the bytes of a run of one partition are copied once, into one shared buffer.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::headers::Headers;
use crate::{
    adapters::kafka::native::{self, Queue},
    record::{Header, Millis, Offset, Record, TimestampType},
};

/// A message of the C client, given back when dropped.
pub(super) struct Message(*mut sys::rd_kafka_message_t);

/// Messages as they came, and where they are put.
pub(super) struct Messages {
    raw: Vec<*mut sys::rd_kafka_message_t>,
}

impl Messages {
    /// Room for so many messages at a time.
    pub(super) fn with_capacity(count: usize) -> Self {
        Messages { raw: vec![std::ptr::null_mut(); count] }
    }

    /// What the queue holds, waiting at most `wait` for the first message.
    ///
    /// The C client's call waits until its array is full, so the first message is waited for alone.
    pub(super) fn consume(&mut self, queue: &Queue, wait: Duration) -> Vec<Message> {
        let mut count = self.fill(queue, 0, 1, wait);
        if count == 1 {
            count += self.fill(queue, 1, self.raw.len(), Duration::ZERO);
        }
        self.raw[..count].iter().map(|message| Message(*message)).collect()
    }

    fn fill(&mut self, queue: &Queue, from: usize, to: usize, wait: Duration) -> usize {
        let (room, wait) = (&mut self.raw[from..to], native::millis(wait));
        // SAFETY: the queue is valid, and the array has room for as many as asked for.
        let count = unsafe { sys::rd_kafka_consume_batch_queue(queue.ptr(), wait, room.as_mut_ptr(), room.len()) };
        usize::try_from(count).unwrap_or(0)
    }
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is a record.
    Record,
    /// The end of the partition, at this offset.
    End(Offset),
    /// The offset to read from is not in the log.
    OutOfRange,
    /// The partition cannot be read.
    Failed(Code),
}

impl Message {
    fn get(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: the message is ours and valid.
        unsafe { &*self.0 }
    }

    pub(super) fn kind(&self) -> Kind {
        match Code::from(self.get().err) {
            Code::NoError => Kind::Record,
            Code::PartitionEOF => Kind::End(Offset(self.get().offset)),
            Code::AutoOffsetReset | Code::OffsetOutOfRange => Kind::OutOfRange,
            code => Kind::Failed(code),
        }
    }

    /// Whether two messages are of one partition.
    pub(super) fn same_partition(&self, other: &Message) -> bool {
        self.get().rkt == other.get().rkt && self.get().partition == other.get().partition
    }

    /// The topic's name and the partition's number.
    pub(super) fn partition(&self) -> (String, i32) {
        let message = self.get();
        if message.rkt.is_null() {
            return (String::new(), -1);
        }
        // SAFETY: a message's topic is valid as long as the message.
        (unsafe { native::text(sys::rd_kafka_topic_name(message.rkt)) }, message.partition)
    }

    /// What the client says about an error.
    pub(super) fn error_text(&self) -> String {
        // SAFETY: the message is valid; the text is copied.
        unsafe { native::text(sys::rd_kafka_message_errstr(self.0)) }
    }

    fn parts(&self) -> Result<Parts<'_>, Code> {
        let message = self.get();
        // SAFETY: the message is valid as long as `self`, and used by this thread alone.
        let headers = unsafe { Headers::of(self.0)? };
        // SAFETY: key and payload point to as many bytes as the message says.
        let (key, value) = unsafe { (bytes(message.key, message.key_len), bytes(message.payload, message.len)) };
        Ok(Parts { key, value, headers })
    }

    fn timestamp(&self) -> (Millis, TimestampType) {
        use sys::rd_kafka_timestamp_type_t as Type;
        let mut kind = Type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid.
        let timestamp = unsafe { sys::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        let kind = match kind {
            Type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => TimestampType::None,
            Type::RD_KAFKA_TIMESTAMP_CREATE_TIME => TimestampType::CreateTime,
            Type::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => TimestampType::LogAppendTime,
        };
        (Millis(timestamp), kind)
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: the message is ours, and given back once.
        unsafe { sys::rd_kafka_message_destroy(self.0) }
    }
}

/// The bytes of a message.
struct Parts<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Headers<'a>,
}

impl Parts<'_> {
    fn size_bytes(&self) -> usize {
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + length(value)).sum();
        length(self.key) + length(self.value) + headers
    }

    fn copy_to(&self, buffer: &mut BytesMut) {
        buffer.put_slice(self.key.unwrap_or_default());
        buffer.put_slice(self.value.unwrap_or_default());
        for (name, value) in self.headers.iter() {
            buffer.put_slice(name);
            buffer.put_slice(value.unwrap_or_default());
        }
    }

    /// The same bytes as slices of the buffer they were copied to.
    fn slices_of(&self, buffer: &mut Bytes) -> (Option<Bytes>, Option<Bytes>, Vec<Header>) {
        let mut slice = |part: Option<&[u8]>| part.map(|part| buffer.split_to(part.len()));
        let (key, value) = (slice(self.key), slice(self.value));
        let mut headers = Vec::with_capacity(self.headers.count());
        for (name, value) in self.headers.iter() {
            headers.push(Header { name: slice(Some(name)).unwrap_or_default(), value: slice(value) });
        }
        (key, value, headers)
    }
}

/// Bytes of the C client; a null pointer is none, which differs from no bytes.
///
/// # Safety
/// The pointer is null, or points to as many bytes, which live as long as `'a`.
unsafe fn bytes<'a>(pointer: *mut std::ffi::c_void, length: usize) -> Option<&'a [u8]> {
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer.cast(), length) })
}

/// How many of the messages make a part of about this size; at least one.
pub(super) fn part_len(messages: &[Message], bytes_max: usize) -> usize {
    let mut size_bytes = 0;
    let fits = |message: &&Message| {
        size_bytes += message.get().key_len + message.get().len;
        size_bytes <= bytes_max
    };
    messages.iter().take_while(fits).count().max(1)
}

/// Messages of one partition as records, and how many bytes they hold.
pub(super) fn records(messages: &[Message]) -> Result<(Vec<Record>, usize), Code> {
    let parts = messages.iter().map(Message::parts).collect::<Result<Vec<_>, Code>>()?;
    let size_bytes = parts.iter().map(Parts::size_bytes).sum();
    let mut buffer = BytesMut::with_capacity(size_bytes);
    parts.iter().for_each(|parts| parts.copy_to(&mut buffer));
    let mut buffer = buffer.freeze();
    let record = |(message, parts): (&Message, &Parts<'_>)| {
        let (key, value, headers) = parts.slices_of(&mut buffer);
        let (timestamp, timestamp_type) = message.timestamp();
        Record { offset: Offset(message.get().offset), timestamp, timestamp_type, key, value, headers }
    };
    Ok((messages.iter().zip(&parts).map(record).collect(), size_bytes))
}
