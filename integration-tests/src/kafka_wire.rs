//! A producer that speaks Kafka's protocol itself: it writes what no client library writes (timestamp 0 and -1, header
//! names with any byte), and shares no code with the adapter it tests.

use bytes::{BufMut as _, Bytes, BytesMut};
use shared::record::{Offset, Record, TopicPartition};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const API_PRODUCE: i16 = 0;
/// The last version before the flexible ones.
const PRODUCE_VERSION: i16 = 8;
const CORRELATION_ID: i32 = 7;
const TIMEOUT_MS: i32 = 30_000;

/// Writes records as one batch to the one broker of a cluster, whatever offsets they say; gives the first offset.
pub async fn produce(broker: &str, partition: &TopicPartition, records: &[Record]) -> Offset {
    let mut stream = TcpStream::connect(broker).await.expect("the broker listens");
    let request = request(partition, &batch(records));
    stream.write_all(&request).await.expect("the request is sent");
    let length = stream.read_i32().await.expect("an answer");
    let mut answer = vec![0; usize::try_from(length).expect("a length")];
    stream.read_exact(&mut answer).await.expect("the whole answer");
    base_offset(&answer, partition)
}

fn request(partition: &TopicPartition, batch: &[u8]) -> Bytes {
    let mut body = BytesMut::new();
    body.put_i16(API_PRODUCE);
    body.put_i16(PRODUCE_VERSION);
    body.put_i32(CORRELATION_ID);
    put_text(&mut body, "wire");
    body.put_i16(-1); // no transactional id
    body.put_i16(-1); // acks of all in-sync replicas
    body.put_i32(TIMEOUT_MS);
    body.put_i32(1);
    put_text(&mut body, &partition.topic);
    body.put_i32(1);
    body.put_i32(partition.partition.0);
    body.put_i32(length(batch));
    body.put_slice(batch);
    let mut framed = BytesMut::new();
    framed.put_i32(length(&body));
    framed.put_slice(&body);
    framed.freeze()
}

/// The answer: correlation id, one topic with its name, one partition with its number, an error code, the offset.
fn base_offset(answer: &[u8], partition: &TopicPartition) -> Offset {
    let name_end = 4 + 4 + 2 + partition.topic.len();
    let code_at = name_end + 4 + 4;
    let code = i16::from_be_bytes(answer[code_at..code_at + 2].try_into().expect("two bytes"));
    assert_eq!(code, 0, "the broker refuses the batch for {partition} with Kafka's error code {code}");
    Offset(i64::from_be_bytes(answer[code_at + 2..code_at + 10].try_into().expect("eight bytes")))
}

/// A record batch, version 2.
fn batch(records: &[Record]) -> Bytes {
    let first = records.first().expect("a batch has a record").timestamp.0;
    let max = records.iter().map(|record| record.timestamp.0).max().unwrap_or(first);
    let mut checked = BytesMut::new();
    checked.put_i16(0); // not compressed, CreateTime
    checked.put_i32(count(records) - 1);
    checked.put_i64(first);
    checked.put_i64(max);
    checked.put_i64(-1); // no producer id, epoch, sequence
    checked.put_i16(-1);
    checked.put_i32(-1);
    checked.put_i32(count(records));
    for (offset_delta, record) in (0..).zip(records) {
        let record = encode(record, record.timestamp.0 - first, offset_delta);
        put_varint(&mut checked, i64::from(length(&record)));
        checked.put_slice(&record);
    }
    let mut batch = BytesMut::new();
    batch.put_i64(0);
    batch.put_i32(4 + 1 + 4 + length(&checked));
    batch.put_i32(-1); // no leader epoch
    batch.put_i8(2);
    batch.put_u32(crc32c::crc32c(&checked));
    batch.put_slice(&checked);
    batch.freeze()
}

fn encode(record: &Record, timestamp_delta: i64, offset_delta: i64) -> Bytes {
    let mut buffer = BytesMut::new();
    buffer.put_i8(0);
    put_varint(&mut buffer, timestamp_delta);
    put_varint(&mut buffer, offset_delta);
    put_bytes(&mut buffer, record.key.as_ref());
    put_bytes(&mut buffer, record.value.as_ref());
    put_varint(&mut buffer, i64::try_from(record.headers.len()).expect("few headers"));
    for header in &record.headers {
        put_bytes(&mut buffer, Some(&header.name));
        put_bytes(&mut buffer, header.value.as_ref());
    }
    buffer.freeze()
}

fn put_bytes(buffer: &mut BytesMut, bytes: Option<&Bytes>) {
    put_varint(buffer, bytes.map_or(-1, |bytes| i64::from(length(bytes))));
    buffer.put_slice(bytes.map_or(&[][..], |bytes| bytes));
}

fn put_text(buffer: &mut BytesMut, text: &str) {
    buffer.put_i16(i16::try_from(text.len()).expect("a short text"));
    buffer.put_slice(text.as_bytes());
}

/// A number in zigzag encoding, seven bits to a byte.
fn put_varint(buffer: &mut BytesMut, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        buffer.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    buffer.put_u8(rest as u8);
}

fn length(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).expect("below 2 GiB")
}

fn count(records: &[Record]) -> i32 {
    i32::try_from(records.len()).expect("few records")
}
