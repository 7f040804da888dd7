//! A backup in memory, looked at over HTTP.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use shared::{
    adapters::memory::{clock::ManualClock, objects::MemoryObjects},
    archive,
    chain::{ChainIdentity, keys},
    config::Draft,
    ports::objects::PutCondition,
    record::{Header, Millis, Record, TimestampType},
    segment::{ChainPoint, Compression, SegmentEncoder, SegmentStart},
};

use super::*;

/// The first integer that a double cannot tell from the one before it.
const BEYOND_DOUBLES: i64 = (1 << 53) + 1;

struct World {
    objects: Arc<MemoryObjects>,
    context: Context,
}

async fn world() -> World {
    let clock = Arc::new(ManualClock::at(Millis(1_700_000_000_000)));
    let objects = Arc::new(MemoryObjects::new(clock));
    let text = "[backups.main]\ntopics = { include = [\"*\"] }";
    let settings = Draft::new(text, &BTreeMap::new()).unwrap().settings().unwrap();
    let context = Context::new(&settings, objects.clone());
    archive::claim_owner(&*objects, "main", "cluster").await.unwrap();
    archive::incarnation_of(&*objects, "main", "orders", &"id".into(), Millis(5)).await.unwrap();
    World { objects, context }
}

fn chain() -> ChainIdentity {
    serde_json::from_value(json!({
        "cluster_id": "cluster", "backup": "main", "topic": "orders", "topic_id": "id", "incarnation": 1, "partition": 0
    }))
    .unwrap()
}

fn record(offset: i64, key: Option<&'static [u8]>, value: Option<&'static [u8]>) -> Record {
    Record {
        offset: Offset(offset),
        timestamp: Millis(BEYOND_DOUBLES),
        timestamp_type: TimestampType::CreateTime,
        key: key.map(Bytes::from_static),
        value: value.map(Bytes::from_static),
        headers: vec![Header { name: Bytes::from_static(b"h"), value: None }],
    }
}

impl World {
    async fn store(&self, base: i64, records: &[Record]) -> Bytes {
        let (chain, base) = (chain(), Offset(base));
        let before = ChainPoint::start(&chain);
        let start = SegmentStart { chain: chain.clone(), base, before, last_gap_at: None };
        let mut encoder = SegmentEncoder::new(start, Compression::None).unwrap();
        encoder.append(records).unwrap();
        let body = encoder.finish(records.last().unwrap().offset.next(), Millis(7)).unwrap().body;
        self.objects.put(&keys::segment(&chain, base), body.clone(), PutCondition::IfAbsent).await.unwrap();
        body
    }

    async fn get(&self, target: &str) -> (u16, Value) {
        let request =
            HttpRequest { method: "GET".into(), target: format!("{PREFIX}{target}"), ..HttpRequest::default() };
        let answer = handle(request, &self.context).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }
}

#[tokio::test]
async fn null_empty_text_and_bytes_are_told_apart_and_offsets_are_texts() {
    let world = world().await;
    let base = BEYOND_DOUBLES;
    let records = [
        record(base, None, None),
        record(base + 1, Some(b""), Some(b"")),
        record(base + 2, Some(b"\n\n"), Some(b"{\"n\":9007199254740993}")),
        record(base + 3, Some(b"\xff\x00"), Some("ü".as_bytes())),
    ];
    world.store(base, &records).await;
    let (status, opened) = world.get("main/orders/1/0/00009007199254740993.kan").await;
    assert_eq!((status, &opened["segment"]["base"]), (200, &json!("9007199254740993")), "{opened}");
    let cells: Vec<_> = opened["records"].as_array().unwrap().iter().map(|row| (&row["key"], &row["value"])).collect();
    let cell = |bytes: usize, base64: &str| json!({ "bytes": bytes, "base64": base64 });
    assert_eq!(cells[0], (&Value::Null, &Value::Null));
    assert_eq!(cells[1], (&cell(0, ""), &cell(0, "")));
    assert_eq!(cells[2], (&cell(2, "Cgo="), &cell(22, "eyJuIjo5MDA3MTk5MjU0NzQwOTkzfQ==")));
    assert_eq!(cells[3], (&cell(2, "/wA="), &cell(2, "w7w=")));
    let row = &opened["records"][3];
    assert_eq!((&row["offset"], &row["timestamp"]), (&json!("9007199254740996"), &json!("9007199254740993")));
    assert_eq!(row["headers"], json!([{ "name": cell(1, "aA=="), "value": null }]));
}

#[tokio::test]
async fn a_large_value_is_cut_and_says_how_large_it_is_and_no_more_than_fifty_records_are_told() {
    let world = world().await;
    static LARGE: [u8; 100_000] = [b'x'; 100_000];
    let records: Vec<_> = (0..60).map(|offset| record(offset, None, Some(&LARGE[..]))).collect();
    world.store(0, &records).await;
    let (_, opened) = world.get("main/orders/1/0/00000000000000000000.kan").await;
    let rows = opened["records"].as_array().unwrap();
    let value = &rows[0]["value"];
    assert_eq!((rows.len(), &value["bytes"]), (50, &json!(100_000)));
    assert!(value["base64"].as_str().unwrap().len() < 25_000);
}

#[tokio::test]
async fn segments_are_told_from_the_latest_on_page_by_page() {
    let world = world().await;
    for base in 0..120 {
        world.store(base, &[record(base, None, None)]).await;
    }
    let (status, topic) = world.get("main/orders").await;
    assert_eq!((status, &topic["incarnations"][0]["partitions"]), (200, &json!([0])));
    let (mut bases, mut target) = (vec![], "main/orders/1/0".to_owned());
    loop {
        let (_, page) = world.get(&target).await;
        bases.extend(page["segments"].as_array().unwrap().iter().map(|it| it["base"].as_str().unwrap().to_owned()));
        let Some(before) = page["before"].as_str() else { break };
        target = format!("main/orders/1/0?before={before}");
    }
    assert_eq!(bases, (0..120).rev().map(|base| base.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_not_there_is_404_and_damage_is_told() {
    let world = world().await;
    let body = world.store(0, &[record(0, None, Some(b"value"))]).await;
    for target in [
        "",
        "main",
        "other/orders",
        "main/nothing",
        "main/%2e%2e",
        "main/=x",
        "main/orders/2/0",
        "main/orders/1/7",
        "main/orders/1/x",
        "main/orders/1/0/x.kan",
        "main/orders/1/0/=floor.json",
        "main/orders/1/0/a/b",
        "main/orders/1/0?before=x",
    ] {
        assert_eq!(world.get(target).await.0, 404, "{target}");
    }
    let mut damaged = body.to_vec();
    damaged[10] ^= 1;
    let key = keys::segment(&chain(), Offset(0));
    world.objects.delete(&key).await.unwrap();
    world.objects.put(&key, damaged.into(), PutCondition::IfAbsent).await.unwrap();
    let (status, answer) = world.get("main/orders/1/0/00000000000000000000.kan").await;
    assert_eq!(status, 503);
    assert!(answer["description"].as_str().unwrap().contains("damaged"), "{answer}");
    let request =
        HttpRequest { method: "DELETE".into(), target: format!("{PREFIX}main/orders"), ..HttpRequest::default() };
    assert_eq!(handle(request, &world.context).await.status, 405);
}
