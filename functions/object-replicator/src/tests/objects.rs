//! Objects of any bucket, asked for by any program.

use shared::{
    ports::objects::{GetRange, Objects as _, PutCondition},
    replication::State,
};

use super::world::World;

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
