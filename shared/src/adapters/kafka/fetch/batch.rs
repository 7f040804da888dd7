//! Messages of the C client as records: the bytes of a run of one partition are copied once, into one shared buffer.
//!
//! They are taken one by one, as events. The client's batch call would cost less, but loses what matters here: it swallows
//! word of a topic that is gone, and takes the end of a partition for a record, so that after the next rebalance of the
//! group one record is passed over (librdkafka 2.12).

use std::{ptr, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::headers::Headers;
use crate::{
    adapters::kafka::native::{self, Event, Owned, Queue},
    record::{Header, Millis, Offset, Record, TimestampType},
};

/// What the C client has to say about a partition.
pub(super) struct Message {
    /// Owns what the others point into.
    event: Event,
    kind: Kind,
    /// Null, but for a record.
    record: *const sys::rd_kafka_message_t,
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

/// What the queue holds, waiting at most `wait` for the first message.
pub(super) fn consume(queue: &Queue, count_max: usize, wait: Duration) -> Vec<Message> {
    let first = queue.poll(wait);
    let more = std::iter::from_fn(|| queue.poll(Duration::ZERO));
    first.into_iter().chain(more).take(count_max).filter_map(Message::of).collect()
}

impl Message {
    /// `None` for an event that is neither a record nor an error.
    fn of(event: Event) -> Option<Self> {
        // SAFETY: the event is valid, and owns its message.
        let (event_type, code) =
            unsafe { (sys::rd_kafka_event_type(event.ptr()), sys::rd_kafka_event_error(event.ptr())) };
        match event_type {
            sys::RD_KAFKA_EVENT_FETCH => {
                // SAFETY: as above.
                let record = unsafe { sys::rd_kafka_event_message_next(event.ptr()) };
                (!record.is_null()).then_some(Message { event, kind: Kind::Record, record })
            }
            sys::RD_KAFKA_EVENT_ERROR => {
                let mut message = Message { event, kind: Kind::OutOfRange, record: ptr::null() };
                message.kind = message.kind_of_error(Code::from(code));
                Some(message)
            }
            _ => None,
        }
    }

    fn kind_of_error(&self, code: Code) -> Kind {
        match code {
            Code::PartitionEOF => Kind::End(Offset(self.about().map_or(0, |about| about.2))),
            Code::AutoOffsetReset | Code::OffsetOutOfRange => Kind::OutOfRange,
            code => Kind::Failed(code),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether two messages are records of one partition and one leader epoch.
    pub(super) fn continues(&self, other: &Message) -> bool {
        match (self.get(), other.get()) {
            (Some(a), Some(b)) => {
                a.rkt == b.rkt && a.partition == b.partition && self.leader_epoch() == other.leader_epoch()
            }
            _ => false,
        }
    }

    /// The leader epoch under which a record was written, where the broker tells it.
    pub(super) fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the record is valid as long as `self`.
        let epoch = unsafe { sys::rd_kafka_message_leader_epoch(self.get()?) };
        (epoch >= 0).then_some(epoch)
    }

    /// The topic's name and the partition's number; `None` where it is about no partition.
    pub(super) fn partition(&self) -> Option<(String, i32)> {
        match self.get() {
            // SAFETY: a message's topic is valid as long as the message.
            Some(record) => Some((unsafe { native::text(sys::rd_kafka_topic_name(record.rkt)) }, record.partition)),
            None => self.about().map(|(topic, partition, _)| (topic, partition)),
        }
    }

    /// Topic, partition and offset that an error is about.
    fn about(&self) -> Option<(String, i32, i64)> {
        // SAFETY: the event is valid; what it tells is ours, and given back.
        unsafe {
            let about = sys::rd_kafka_event_topic_partition(self.event.ptr());
            let about = Owned::new(about, sys::rd_kafka_topic_partition_destroy)?;
            let element = &*about.ptr();
            Some((native::text(element.topic), element.partition, element.offset))
        }
    }

    /// What the client says about an error.
    pub(super) fn error_text(&self) -> String {
        // SAFETY: the event is valid; the text is copied.
        unsafe { native::text(sys::rd_kafka_event_error_string(self.event.ptr())) }
    }

    fn get(&self) -> Option<&sys::rd_kafka_message_t> {
        // SAFETY: the pointer is null, or points into the event.
        unsafe { self.record.as_ref() }
    }

    fn size_bytes(&self) -> usize {
        self.get().map_or(0, |record| record.key_len + record.len)
    }

    fn parts(&self) -> Result<Parts<'_>, Code> {
        let record = self.get().ok_or(Code::BadMessage)?;
        // SAFETY: the record is valid as long as `self`, and used by this thread alone.
        let headers = unsafe { Headers::of(record)? };
        // SAFETY: key and payload point to as many bytes as the record says.
        let (key, value) = unsafe { (bytes(record.key, record.key_len), bytes(record.payload, record.len)) };
        Ok(Parts { offset: Offset(record.offset), timestamp: timestamp(record), key, value, headers })
    }
}

fn timestamp(record: &sys::rd_kafka_message_t) -> (Millis, TimestampType) {
    use sys::rd_kafka_timestamp_type_t as Type;
    let mut kind = Type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: the record is valid.
    let timestamp = unsafe { sys::rd_kafka_message_timestamp(record, &raw mut kind) };
    let kind = match kind {
        Type::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => TimestampType::None,
        Type::RD_KAFKA_TIMESTAMP_CREATE_TIME => TimestampType::CreateTime,
        Type::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => TimestampType::LogAppendTime,
    };
    (Millis(timestamp), kind)
}

/// What a record is made of, still the client's.
struct Parts<'a> {
    offset: Offset,
    timestamp: (Millis, TimestampType),
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

    /// The record, its bytes slices of the buffer they were copied to.
    fn record_over(&self, buffer: &mut Bytes) -> Record {
        let mut slice = |part: Option<&[u8]>| part.map(|part| buffer.split_to(part.len()));
        let (key, value) = (slice(self.key), slice(self.value));
        let mut headers = Vec::with_capacity(self.headers.count());
        for (name, value) in self.headers.iter() {
            headers.push(Header { name: slice(Some(name)).unwrap_or_default(), value: slice(value) });
        }
        let (timestamp, timestamp_type) = self.timestamp;
        Record { offset: self.offset, timestamp, timestamp_type, key, value, headers }
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
        size_bytes += message.size_bytes();
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
    Ok((parts.iter().map(|parts| parts.record_over(&mut buffer)).collect(), size_bytes))
}
