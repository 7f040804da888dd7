//! The ids of schemas in records.

use shared::{
    ports::objects::PutCondition,
    restore::progress::IdCounts,
    schemas::{IdMap, snapshot::ids_key},
    segment::metadata::FORMAT_VERSION,
};

use super::*;

/// Keys and values with ids, and all that has none.
const VALUES: [Option<&[u8]>; 6] =
    [Some(b"\0\0\0\0\x07v"), None, Some(b"\0"), Some(b"\0\0\0\0"), Some(b"text"), Some(b"\0\0\0\0\x07")];

/// A backup with such values in partition 0, and the map that makes 7 to 65.
async fn world(more: &[Option<&'static [u8]>]) -> World {
    let world = World::with(0).await;
    for value in VALUES.iter().chain(more) {
        let record = Record {
            offset: Offset(0),
            timestamp: Millis(NOW.0 - 1_000),
            timestamp_type: TimestampType::CreateTime,
            key: Some(Bytes::from_static(b"\0\0\0\0\x07k")),
            value: value.map(Bytes::from_static),
            headers: vec![],
        };
        world.source.append(&TopicPartition::new("orders", 0), record);
    }
    world.back_up().await;
    let map = IdMap { format_version: FORMAT_VERSION, ids: BTreeMap::from([(7, 65)]) };
    let body = serde_json::to_vec(&map).unwrap().into();
    world.objects.put(&ids_key("default", "copy"), body, PutCondition::IfAbsent).await.unwrap();
    world
}

fn plan(unknown: &str) -> String {
    format!("schema_ids = {{ map = \"copy\", unknown = \"{unknown}\", topics = {{ orders = [\"value\"] }} }}\n{ORDERS}")
}

async fn values(world: &World) -> Vec<Option<Bytes>> {
    let all = world.contents(&world.target, "orders").await;
    all.get(&0).into_iter().flatten().map(|(_, _, value, _)| value.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn ids_are_put_into_values_that_have_one_and_nothing_else_is_touched() {
    let world = world(&[]).await;
    let report = world.restore(&plan("fail")).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    let mut expected = VALUES.map(|value| value.map(Bytes::from_static));
    expected[0] = Some(Bytes::from_static(b"\0\0\0\0\x41v"));
    expected[5] = Some(Bytes::from_static(b"\0\0\0\0\x41"));
    assert_eq!(values(&world).await, expected);
    let keys = world.contents(&world.target, "orders").await.remove(&0).unwrap();
    assert!(keys.iter().all(|(_, key, _, _)| key.as_deref() == Some(b"\0\0\0\0\x07k")), "keys were not named");
    let counts = report.topics[0].partitions[0].counts.schema_ids;
    assert_eq!(counts, IdCounts { rewritten: 2, without: 4, ..IdCounts::default() });
}

#[tokio::test(start_paused = true)]
async fn an_id_in_no_map_stops_the_restore_stays_or_is_left_out_as_told() {
    let unknown: Option<&[u8]> = Some(b"\0\0\0\0\x09v");
    let failing = world(&[unknown]).await;
    let report = failing.restore(&plan("fail")).await;
    let error = report.topics[0].error.clone().unwrap_or_default();
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(error.contains("value of the record at offset 6 of orders-0 has schema id 9"), "{error}");
    let keeping = world(&[unknown]).await;
    let report = keeping.restore(&plan("keep")).await;
    assert_eq!(report.topics[0].partitions[0].counts.schema_ids.kept, 1);
    assert_eq!(values(&keeping).await.last().unwrap().as_deref(), unknown);
    let dropping = world(&[unknown]).await;
    let report = dropping.restore(&plan("drop")).await;
    let counts = report.topics[0].partitions[0].counts;
    assert_eq!((counts.records, counts.schema_ids.dropped, values(&dropping).await.len()), (6, 1, 6));
}

#[tokio::test(start_paused = true)]
async fn a_map_that_is_not_there_a_topic_that_is_not_restored_and_another_map_are_refused() {
    let world = world(&[]).await;
    for asked in ["map = \"none\", topics = { orders = [\"value\"] }", "map = \"copy\", topics = { else = [\"key\"] }"]
    {
        let report = world.restore(&format!("schema_ids = {{ {asked} }}\n{ORDERS}")).await;
        assert_eq!(report.outcome, Outcome::Refused, "{report:?}");
    }
    assert_eq!(world.restore(&plan("fail")).await.outcome, Outcome::Done);
    let other = world.restore(ORDERS).await;
    assert_eq!((other.outcome, kinds(&other)), (Outcome::Refused, vec![Kind::OtherPlan]));
}
