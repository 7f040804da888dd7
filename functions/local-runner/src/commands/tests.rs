//! What the listing commands print, on a small backup.

use serde_json::json;

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
