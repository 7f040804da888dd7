//! Objects of any bucket, asked for by any program.

use shared::{
    adapters::memory::kafka::PublishFault,
    ports::objects::{GetRange, Objects as _, PutCondition},
    replication::State,
};

use super::world::{METRICS, World};
use crate::{Input, handle};

#[tokio::test(start_paused = true)]
async fn any_object_of_any_bucket_is_copied_as_it_is_when_it_is_read() {
    let world = World::new();
    let etag = world.others.put("a//b", "one".into(), PutCondition::IfAbsent).await.unwrap();
    world.publish(r#"{"location":"there","bucket":"other","key":"a//b"}"#).await;
    assert_eq!(world.drain().await.replicated.unwrap().completed, 1);
    world.others.put("a//b", "two".into(), PutCondition::IfMatch(etag)).await.unwrap();
    world.publish(r#"{"location":"there","bucket":"other","key":"a//b"}"#).await;
    // The entry of the older version comes again, late.
    world.publish(r#"{"location":"there","bucket":"other","key":"a//b"}"#).await;
    world.drain().await;
    let there = world.there.inner.get("=objects/other/a//b", GetRange::Whole).await.unwrap().unwrap();
    assert_eq!(there.body, "two");
    assert_eq!(world.states().await, [((State::Completed, 1), 2)].into());
}

#[tokio::test(start_paused = true)]
async fn what_another_program_asked_for_is_told_as_queued_also_where_the_first_telling_failed() {
    let world = World::new();
    world.others.put("key", "body".into(), PutCondition::IfAbsent).await.unwrap();
    world.kafka.fail_publishing(METRICS, Some(PublishFault::Denied));
    world.publish(r#"{"location":"there","bucket":"other","key":"key"}"#).await;
    let report = handle(Input::Drain { location: None }, &world.context).await;
    assert_eq!(world.states().await, [((State::Pending, 1), 1)].into(), "{report:?}");
    world.kafka.fail_publishing(METRICS, None);
    world.drain().await;
    let events = world.events().await;
    assert_eq!((events["queued"], events["completed"]), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_entry_is_passed_over_and_what_is_gone_fails_for_good() {
    let world = World::new();
    for entry in ["null", "{", r#"{"location":"elsewhere","bucket":"other","key":"k"}"#] {
        world.publish(entry).await;
    }
    world.publish(r#"{"location":"there","bucket":"other","key":"gone"}"#).await;
    world.publish(r#"{"location":"there","bucket":"source","key":"backups/=replication/there/pause.json"}"#).await;
    let replicated = world.drain().await.replicated.unwrap();
    assert_eq!((replicated.completed, replicated.failed), (0, 2));
    assert!(world.statuses().await.iter().all(|status| status.state == State::Failed && status.retry_at.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_large_object_comes_in_parts_and_goes_on_behind_those_that_arrived() {
    use std::{sync::atomic::Ordering, time::Duration};
    let world = World::new();
    let body: bytes::Bytes = (0..(33_u32 << 20)).map(|n| (n % 251) as u8).collect::<Vec<u8>>().into();
    let etag = world.others.put("large", body.clone(), PutCondition::IfAbsent).await.unwrap();
    world.there.fails_at_part_3.store(true, Ordering::SeqCst);
    world.publish(r#"{"location":"there","bucket":"other","key":"large"}"#).await;
    assert_eq!(world.drain().await.replicated.unwrap().failed, 1);
    assert_eq!(world.there.parts_put.load(Ordering::SeqCst), 2);

    world.set_up(true);
    world.later(Duration::from_secs(6));
    assert_eq!(world.drain().await.replicated.unwrap().completed, 1);
    assert_eq!(world.there.parts_put.load(Ordering::SeqCst), 5, "no part is copied twice");
    let there = world.there.inner.get("=objects/other/large", GetRange::Whole).await.unwrap().unwrap();
    assert!(there.body == body);
    assert_eq!(world.events().await["object completed"], 5, "each part is told once");

    // Another version, while the location holds the first.
    let other: bytes::Bytes = vec![7; 17 << 20].into();
    world.others.put("large", other.clone(), PutCondition::IfMatch(etag)).await.unwrap();
    world.publish(r#"{"location":"there","bucket":"other","key":"large"}"#).await;
    assert_eq!(world.drain().await.replicated.unwrap().completed, 1);
    let there = world.there.inner.get("=objects/other/large", GetRange::Whole).await.unwrap().unwrap();
    assert!(there.body == other);
}
