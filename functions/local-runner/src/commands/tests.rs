//! What the listing commands print, on a small backup.

use serde_json::json;
use shared::{archive::reading::range::ChainRange, ports::objects::Objects, record::Offset};

use super::*;
use crate::{output::Report, test_backup::TestBackup};

#[tokio::test]
async fn topics_are_summed_up() {
    let test = TestBackup::make().await;
    let topics = topics::held(&*test.objects, None).await.unwrap();
    let json = serde_json::to_value(&topics).unwrap();
    assert_eq!(json["topics"][0]["topic"], json!("orders"));
    assert_eq!((&json["topics"][0]["records"], &json["topics"][0]["partitions"]), (&json!(13), &json!(2)));
    assert_eq!(topics.text().lines().count(), 2);
}

#[tokio::test]
async fn segments_are_listed_in_the_order_of_their_offsets_and_by_topic() {
    let test = TestBackup::make().await;
    let segments = segments::held(&*test.objects, Some("main"), |_| true).await.unwrap();
    let json = serde_json::to_value(&segments).unwrap();
    let ranges: Vec<_> = json["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["partition"].clone(), s["base"].clone(), s["next"].clone()))
        .collect();
    assert_eq!(
        ranges,
        [(json!(0), json!(0), json!(6)), (json!(0), json!(6), json!(10)), (json!(1), json!(0), json!(3))]
    );
    let none = segments::held(&*test.objects, None, |topic| topic != "orders").await.unwrap();
    assert_eq!(none.text(), "KEY  NEXT  RECORDS  BYTES  STORED  FROM  TO\n");
}

#[tokio::test]
async fn segments_that_do_not_join_are_told_behind_the_list() {
    let test = TestBackup::sealed_with([None; 3]).await;
    test.objects.delete("main/orders/1/0/00000000000000000005.kan").await.unwrap();
    let segments = segments::held(&*test.objects, None, |topic| topic == "orders").await.unwrap();
    let hole = "main/orders/1/0/ has a hole: no segment holds the offsets from 5 to before 10";
    assert!(segments.text().lines().last().unwrap().starts_with(hole), "{}", segments.text());
    assert_eq!(serde_json::to_value(&segments).unwrap()["holes"].as_array().map(Vec::len), Some(1));
}

/// The offsets that a reader of partition 0 of orders gets, and what ends it, where a segment in the middle is missing.
async fn read_around_a_hole(from: i64, to: i64) -> (Vec<i64>, Option<Failure>) {
    let test = TestBackup::sealed_with([None; 3]).await;
    test.objects.delete("main/orders/1/0/00000000000000000005.kan").await.unwrap();
    let (_, topic) = find::topic(&*test.objects, "orders", None, None).await.unwrap();
    let mut read = vec![];
    let end = async {
        let mut range = ChainRange::open(&*test.objects, &topic.chains[0], Offset(from)..Offset(to)).await?;
        while let Some(segment) = range.next().await? {
            let records = segment.reader.row_groups().flat_map(Result::unwrap).map(|record| record.offset.0);
            read.extend(records.filter(|offset| (from..to).contains(offset)));
        }
        Ok(())
    };
    let end: Result<(), Failure> = end.await;
    (read, end.err())
}

#[tokio::test]
async fn a_reader_stops_at_a_hole_names_it_and_exits_with_1() {
    for (from, to, expected) in
        [(0, i64::MAX, vec![0, 1, 2, 3, 4]), (7, i64::MAX, vec![]), (6, 9, vec![]), (3, 8, vec![3, 4])]
    {
        let (read, end) = read_around_a_hole(from, to).await;
        let end = end.expect("an error");
        assert!(end.to_string().contains("no segment holds the offsets from 5 to before 10"), "{from} to {to}: {end}");
        assert_eq!((read, end.exit_code()), (expected, 1), "{from} to {to}");
    }
}

#[tokio::test]
async fn a_hole_outside_of_what_is_read_stops_nobody() {
    for (from, to, expected) in [(0, 5, vec![0, 1, 2, 3, 4]), (10, 12, vec![10, 11]), (100, 200, vec![])] {
        let (read, end) = read_around_a_hole(from, to).await;
        assert!(end.is_none(), "{from} to {to}: {end:?}");
        assert_eq!(read, expected, "{from} to {to}");
    }
}
