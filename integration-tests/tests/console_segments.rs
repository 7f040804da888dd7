//! The console shows stored records byte for byte, in a real browser (P36).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use integration_tests::{
    highwater::listener, kafka::Kafka, kafka_producer::NewRecord, redis_server::RedisServer, serving::Serving,
};
use serde_json::{Value, json};
use shared::{
    archive,
    chain::keys,
    ports::objects::{Objects as _, PutCondition},
    record::{Millis, Offset, Record, TimestampType},
    segment::{ChainPoint, Compression, SegmentEncoder, SegmentStart},
};

use crate::console::Person;

/// 2^53 + 1: the first integer that a JavaScript number cannot hold.
const BEYOND_DOUBLES: i64 = (1 << 53) + 1;
/// More than the page shows of one value.
const LARGE: usize = 20_000;

/// Bytes that a page could take for each other, and what it calls them.
const CONTENTS: [(&str, Option<&[u8]>); 9] = [
    ("null", None),
    ("empty", Some(b"")),
    ("text", Some(b"\n\n")),
    ("text", Some(b"\r\n a\tb ")),
    ("binary", Some(b"\xff\x00a")),
    ("binary", Some(b"text with a zero byte \x00")),
    ("JSON", Some(b"{\"n\":9007199254740993,  \"a\":[1.50,\"x, {y}\"]}")),
    ("text", Some(b"<img src=x onerror=alert(1)></pre><script>alert(2)</script>")),
    ("text", Some("\u{202e}evil \u{feff}na\u{ef}ve".as_bytes())),
];

/// A record for each of the contents as a value; its key and the values of its headers are the next ones.
fn records() -> (Vec<NewRecord>, Value) {
    let (mut records, mut shown) = (vec![], vec![]);
    for number in 0..CONTENTS.len() {
        let [value, key, first, second] = std::array::from_fn(|step| CONTENTS[(number + step) % CONTENTS.len()]);
        let bytes = |(_, content): (&str, Option<&'static [u8]>)| content.map(Bytes::from_static);
        let record = NewRecord { partition: Some(0), key: bytes(key), value: bytes(value), ..NewRecord::default() };
        records.push(record.header("same name", bytes(first)).header("same name", bytes(second)));
        let cell = |name: &str, (kind, content): (&str, Option<&[u8]>)| json!({ "name": name, "kind": kind, "base64": content.map(|bytes| BASE64_STANDARD.encode(bytes)) });
        let name = ("text", Some(b"same name".as_slice()));
        shown.push(json!([
            cell("Key", key),
            cell("Value", value),
            cell("Header 1: name", name),
            cell("Header 1: value", first),
            cell("Header 2: name", name),
            cell("Header 2: value", second),
        ]));
    }
    records.push(NewRecord::new(vec![b'x'; LARGE]).partition(0));
    (records, shown.into())
}

/// Stores a segment of a topic that was never in this Kafka, whose two records have offsets beyond 2^53.
async fn store_far_segment(serving: &Serving, topic: &str) {
    let objects = serving.objects().await;
    let id = "an id of its own".into();
    archive::incarnation_of(&objects, &serving.backup, topic, &id, Millis(1)).await.expect("a claim");
    let chain = serving.chain(topic, id, 1, 0);
    let base = Offset(BEYOND_DOUBLES);
    let start = SegmentStart { chain: chain.clone(), base, before: ChainPoint::start(&chain), last_gap_at: None };
    let mut encoder = SegmentEncoder::new(start, Compression::None).expect("an encoder");
    let record = |offset| Record {
        offset,
        timestamp: Millis(BEYOND_DOUBLES),
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: None,
        headers: vec![],
    };
    encoder.append(&[record(base), record(base.next())]).expect("two records");
    let segment = encoder.finish(base.next().next(), Millis(2)).expect("a segment");
    objects.put(&keys::segment(&chain, base), segment.body, PutCondition::IfAbsent).await.expect("it is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_every_byte_of_stored_records_and_every_digit_of_offsets_beyond_2_to_the_53() {
    let kafka = Kafka::shared().await;
    let serving = Serving::new("bytes", kafka, &RedisServer::shared().await.new_database().url).await;
    let (records, shown) = records();
    kafka.produce(&serving.topic, records).await;
    let backup = serving.run(&["backup"]).await;
    assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stdout));
    let far = format!("{}-far", serving.topic);
    store_far_segment(&serving, &far).await;
    let served = serving.serve().await;
    let console = listener(&served.process, "console").await;
    let (shown, large) = (shown.to_string(), LARGE.to_string());
    let words = [&serving.backup, &serving.topic, &far, &shown, &large].map(String::as_str);
    Person::walks("segments.py", console, &words).ends_well().await;
}
