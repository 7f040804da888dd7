use shared::{
    archive::{
        ArchiveError,
        pins::{Hold, Pin, Pinned},
    },
    ports::{
        clock::Clock as _,
        objects::{GetRange, ListRequest, PutCondition},
    },
    record::{Millis, Offset},
};

use super::world::{START, World};
use crate::{Expire, handle};

const KEY: &str = "main/=pins/reader-1.json";

async fn pin(world: &World, holds: Vec<Hold>) -> Pinned<'_> {
    Pinned::create(&*world.objects, "main", "reader_1", Pin::new("a reader", holds)).await.unwrap()
}

async fn pins(world: &World) -> usize {
    world.objects.list(ListRequest::prefix("main/=pins/")).await.unwrap().objects.len()
}

#[tokio::test]
async fn what_is_pinned_neither_leaves_the_backup_nor_is_deleted_until_the_reader_lets_go() {
    let world = World::new();
    world.a_segment_a_day(4).await;
    world.days(60);
    let mut reader = pin(&world, vec![]).await;
    for _ in 0..20 {
        let report = world.run().await;
        assert!(report.changed.is_empty() && report.pins == ["a reader"], "{report:?}");
        world.clock.advance(Millis(300_000));
        reader.renew().await.unwrap();
    }
    assert_eq!((world.bases().await, world.floor().await.floor.base), (vec![0, 2, 4, 6], Offset(0)));
    reader.release().await.unwrap();
    world.expire().await;
    assert_eq!((world.bases().await, pins(&world).await), (vec![6], 0));
}

#[tokio::test]
async fn a_pin_that_comes_when_the_floor_has_moved_keeps_what_lies_below() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    world.days(60);
    world.run().await;
    world.hours(2);
    let reader = pin(&world, vec![Hold::topic("orders")]).await;
    assert!(world.run().await.changed.is_empty());
    assert_eq!(world.bases().await, [0, 2, 4]);
    reader.release().await.unwrap();
    assert_eq!(world.run().await.changed[0].deleted_segments, 2);
}

#[tokio::test]
async fn a_pin_holds_its_topics_from_its_offset_on_and_nothing_else() {
    let world = World::new();
    world.a_segment_a_day(4).await;
    world.days(60);
    let _other = pin(
        &world,
        vec![
            Hold::topic("payments"),
            Hold { incarnation: Some(2), ..Hold::topic("orders") },
            Hold { from: Offset(5), ..Hold::topic("orders") },
        ],
    )
    .await;
    let report = world.run().await;
    assert_eq!((report.changed[0].start, report.changed[0].expired_segments), (Offset(4), 2), "5 lies in [4, 6)");
}

#[tokio::test]
async fn a_pin_that_nobody_renews_ends_and_is_swept_and_its_reader_is_told() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    world.days(60);
    let mut reader = pin(&world, vec![]).await;
    world.clock.advance(Millis(600_000));
    assert!(world.run().await.changed.is_empty(), "the lease is not over to the millisecond");
    world.clock.advance(Millis(1));
    reader.renew().await.expect("nobody has taken it for none yet");
    world.clock.advance(Millis(600_001));
    assert_eq!(world.run().await.changed[0].expired_segments, 2);
    assert_eq!(pins(&world).await, 0);
    let lost = reader.renew().await.unwrap_err();
    assert!(matches!(&lost, ArchiveError::PinLost { key } if key == KEY), "{lost}");
}

#[tokio::test]
async fn nothing_expires_while_there_is_a_pin_of_a_newer_version_and_the_report_names_it() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    world.days(60);
    let newer = r#"{"format_version": 2, "who": "a newer version", "holds": [{"tag": "x"}], "lease_ms": 1}"#;
    world.objects.put(KEY, newer.into(), PutCondition::IfAbsent).await.unwrap();
    let report = handle(Expire::default(), &world.context()).await.unwrap().backups.remove(0);
    let failures: Vec<_> = report.failures.iter().map(|failure| failure.to_string()).collect();
    assert!(
        report.changed.is_empty() && failures[0].starts_with(&format!("{KEY} has format version 2")),
        "{failures:?}"
    );
    assert_eq!(pins(&world).await, 1);
}

#[tokio::test]
async fn a_damaged_pin_holds_everything_for_a_day() {
    let world = World::new();
    world.a_segment_a_day(3).await;
    world.days(60);
    world.objects.put("main/=pins/torn.json", "{".into(), PutCondition::IfAbsent).await.unwrap();
    world.hours(23);
    assert!(world.run().await.changed.is_empty());
    world.hours(2);
    assert_eq!(world.run().await.changed[0].expired_segments, 2);
    assert_eq!(pins(&world).await, 0);
}

#[tokio::test(start_paused = true)]
async fn work_is_held_for_as_long_as_it_takes() {
    let world = World::new();
    let work = async {
        for _ in 0..10 {
            tokio::time::sleep(std::time::Duration::from_secs(500)).await;
            world.clock.advance(Millis(500_000));
        }
        world.objects.get(KEY, GetRange::Whole).await.unwrap().unwrap()
    };
    let at_the_end = pin(&world, vec![]).await.during(work).await.unwrap();
    assert!(world.clock.now().0 - at_the_end.modified.0 <= 600_000 && at_the_end.modified > START, "{at_the_end:?}");
    assert_eq!(pins(&world).await, 0);
}

#[tokio::test(start_paused = true)]
async fn work_whose_pin_is_lost_is_dropped() {
    let world = World::new();
    let reader = pin(&world, vec![]).await;
    world.objects.delete(KEY).await.unwrap();
    let lost = reader.during(std::future::pending::<()>()).await.unwrap_err();
    assert!(matches!(lost, ArchiveError::PinLost { .. }), "{lost}");
}

#[tokio::test]
async fn a_pin_is_written_as_it_will_be_read_for_ever() {
    let world = World::new();
    let hold = Hold {
        incarnation: Some(2),
        partition: Some(shared::record::Partition(3)),
        from: Offset(408),
        ..Hold::topic("orders")
    };
    let _pin = pin(&world, vec![hold]).await;
    let written = world.objects.get(KEY, GetRange::Whole).await.unwrap().unwrap().body;
    let expected = r#"{
  "format_version": 1,
  "who": "a reader",
  "holds": [
    {
      "topic": "orders",
      "incarnation": 2,
      "partition": 3,
      "from": 408
    }
  ],
  "lease_ms": 600000,
  "renewed": 0,
  "revoked": false
}
"#;
    assert_eq!(std::str::from_utf8(&written).unwrap(), expected);
}
