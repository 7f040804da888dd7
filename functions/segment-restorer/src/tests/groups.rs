//! Consumer groups that go on in the target.

use shared::{archive::GroupOffset, ports::records::Groups as _, record::Partition, restore::translation::Exactness};

use super::*;
use crate::GroupOutcome;

const COPY: &str = "[[topics]]\nsource = \"orders\"\ntarget = \"copy\"";
const WITH_GROUP: &str = "groups = [\"shop\"]\n[[topics]]\nsource = \"orders\"\ntarget = \"copy\"";

/// A group's snapshot, as cluster-archiver writes it.
async fn snapshot(world: &World, group: &str, taken_at: i64, offsets: &[(i32, i64)]) {
    let id = world.source.topics(Some(&["orders".into()])).await.unwrap().swap_remove(0).id;
    let offset = |(partition, offset): &(i32, i64)| GroupOffset {
        topic: "orders".into(),
        topic_id: id.clone(),
        partition: Partition(*partition),
        offset: Offset(*offset),
        seen_at: Millis(taken_at),
    };
    let answer = offsets.iter().map(offset).collect();
    archive::store_group(&*world.objects, "main", group, Millis(taken_at), answer).await.unwrap();
}

/// What lies in a partition from an offset on.
async fn rest(kafka: &MemoryKafka, topic: &str, partition: i32, from: Offset) -> Vec<Content> {
    let mut fetch = kafka.fetch(&[(TopicPartition::new(topic, partition), from)]).await.unwrap();
    let mut rest = vec![];
    loop {
        let came = fetch.next(Duration::ZERO).await.unwrap();
        if came.is_empty() {
            return rest;
        }
        for fetched in came {
            let Fetched::Records { records, .. } = fetched else { continue };
            rest.extend(records.into_iter().map(|it| (it.timestamp, it.key, it.value, it.headers)));
        }
    }
}

/// Where the group stands in the target.
async fn stands(world: &World, partition: i32) -> Option<Offset> {
    let at = TopicPartition::new("copy", partition);
    world.target.committed_offsets("shop", &[at]).await.unwrap().swap_remove(0)
}

async fn commit_in_target(world: &World, partition: i32, offset: i64) {
    let at = TopicPartition::new("copy", partition);
    world.target.commit("shop", &[(at, Offset(offset).into())]).await.unwrap();
}

async fn source_end(world: &World, partition: i32) -> i64 {
    let at = TopicPartition::new("orders", partition);
    world.source.bounds(&[at]).await.unwrap().swap_remove(0).unwrap().high_watermark.0
}

fn outcomes(report: &RestoreReport) -> Vec<GroupOutcome> {
    report.groups.iter().map(|group| group.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_on_where_it_stood_for_every_offset_it_can_have() {
    let world = World::with(12).await;
    world.restore(COPY).await;
    for committed in 0..=source_end(&world, 0).await {
        snapshot(&world, "shop", committed, &[(0, committed), (1, committed)]).await;
        let report = world.restore(&format!("rewind = true\ngroups_only = true\n{WITH_GROUP}")).await;
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        let exact = report.groups.iter().filter(|group| group.exactness == Some(Exactness::Exact));
        assert_eq!(exact.count(), 2, "{report:?}");
        assert_eq!(report.groups[2].outcome, GroupOutcome::None, "it had committed nothing for partition 2");
        for partition in [0, 1] {
            let found = stands(&world, partition).await.unwrap();
            assert_eq!(
                rest(&world.target, "copy", partition, found).await,
                rest(&world.source, "orders", partition, Offset(committed)).await,
                "partition {partition}, committed at {committed}, translated to {found}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_was_interrupted_translates_by_all_of_its_runs() {
    let world = World::with(12).await;
    for _ in 0..3 {
        let mut context = world.context();
        context.limits.deadline_margin = Duration::ZERO;
        let input = Restore { deadline: Some(NOW), ..asked(COPY) };
        handle(input, &context).await.unwrap();
        world.append(20..22);
        world.back_up().await;
    }
    snapshot(&world, "shop", 5, &[(0, 17)]).await;
    let report = world.restore(WITH_GROUP).await;
    assert_eq!(report.groups[0].exactness, Some(Exactness::Exact), "{report:?}");
    let found = stands(&world, 0).await.unwrap();
    assert_eq!(rest(&world.target, "copy", 0, found).await, rest(&world.source, "orders", 0, Offset(17)).await);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_further_in_the_target_is_not_set_back_unless_told() {
    let world = World::with(12).await;
    snapshot(&world, "shop", 1, &[(0, 1), (1, 1)]).await;
    world.restore(COPY).await;
    commit_in_target(&world, 0, 4).await;
    let report = world.restore(WITH_GROUP).await;
    let expected = [GroupOutcome::Kept, GroupOutcome::Committed, GroupOutcome::None];
    assert_eq!(outcomes(&report), expected, "one partition holds up no other");
    assert_eq!(stands(&world, 0).await, Some(Offset(4)));
    let report = world.restore(&format!("rewind = true\n{WITH_GROUP}")).await;
    assert_eq!(outcomes(&report), [GroupOutcome::Committed, GroupOutcome::Kept, GroupOutcome::None]);
}

#[tokio::test(start_paused = true)]
async fn an_offset_behind_the_targets_end_is_none_and_is_replaced() {
    let world = World::with(12).await;
    snapshot(&world, "shop", 1, &[(0, 1)]).await;
    world.restore(COPY).await;
    commit_in_target(&world, 0, 4_000).await;
    assert_eq!(outcomes(&world.restore(WITH_GROUP).await)[0], GroupOutcome::Committed);
    assert_eq!(stands(&world, 0).await, Some(Offset(1)));
}

#[tokio::test(start_paused = true)]
async fn a_group_with_members_is_refused_before_and_at_the_commit() {
    let world = World::with(12).await;
    snapshot(&world, "shop", 1, &[(0, 1)]).await;
    world.restore(COPY).await;
    let member = world.target.join("shop", &["copy".into()]).await.unwrap();
    assert_eq!(kinds(&world.restore(WITH_GROUP).await), [Kind::GroupActive]);
    let at = TopicPartition::new("copy", 0);
    let refused = world.target.commit_idle("shop", &[(at, Offset(1).into())]).await.unwrap_err();
    assert!(refused.to_string().contains("the group has members"), "{refused}");
    assert_eq!(stands(&world, 0).await, None);
    drop(member);
    assert_eq!(world.restore(WITH_GROUP).await.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_group_as_it_stood_at_an_earlier_moment_and_one_that_nobody_knows() {
    let world = World::with(12).await;
    snapshot(&world, "shop", 100, &[(0, 1)]).await;
    snapshot(&world, "shop", 200, &[(0, 3)]).await;
    let report = world.restore(&format!("groups_at = 150\n{WITH_GROUP}")).await;
    assert_eq!(report.groups[0].source_offset, Some(Offset(1)));
    let report = world.restore(&format!("groups_at = 50\n{WITH_GROUP}")).await;
    assert_eq!(kinds(&report), [Kind::UnknownGroup]);
    let report = world.restore(&format!("groups = [\"nobody\"]\n{COPY}")).await;
    assert_eq!(kinds(&report), [Kind::UnknownGroup], "a miss is an error");
    assert!(report.groups.is_empty());
}

#[tokio::test(start_paused = true)]
async fn groups_alone_need_their_records_in_the_target() {
    let world = World::with(12).await;
    snapshot(&world, "shop", 1, &[(0, 1)]).await;
    let alone = format!("groups_only = true\n{WITH_GROUP}");
    assert_eq!(kinds(&world.restore(&alone).await), [Kind::TargetMissing]);
    world.target.create("copy", PARTITIONS, &[]);
    assert_eq!(kinds(&world.restore(&alone).await), [Kind::TargetMissing], "records of others are none");
    assert_eq!(kinds(&world.restore(&format!("groups_only = true\n{COPY}")).await), [Kind::Plan]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_after_the_restore_comes_with_the_group_alone() {
    let world = World::with(12).await;
    snapshot(&world, "shop", 1, &[(0, 1)]).await;
    world.restore(WITH_GROUP).await;
    let before = stands(&world, 0).await.unwrap();
    snapshot(&world, "shop", 2, &[(0, 8)]).await;
    let report = world.restore(&format!("groups_only = true\n{WITH_GROUP}")).await;
    assert_eq!(outcomes(&report)[0], GroupOutcome::Committed);
    assert!(stands(&world, 0).await.unwrap() > before);
}

#[tokio::test(start_paused = true)]
async fn an_offset_that_is_not_restored_yet_is_an_error_and_not_the_end() {
    let world = World::with(12).await;
    world.restore(COPY).await;
    let end = source_end(&world, 0).await;
    world.append(12..15);
    world.back_up().await;
    snapshot(&world, "shop", 1, &[(0, end + 1), (1, end)]).await;
    let report = world.restore(&format!("groups_only = true\n{WITH_GROUP}")).await;
    assert_eq!(outcomes(&report), [GroupOutcome::Failed, GroupOutcome::Committed, GroupOutcome::None], "{report:?}");
    assert_eq!((report.outcome, stands(&world, 0).await), (Outcome::Failed, None));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_had_read_more_than_the_backup_holds_goes_to_its_end() {
    let world = World::with(12).await;
    let end = source_end(&world, 0).await;
    world.append(12..15);
    snapshot(&world, "shop", 1, &[(0, end + 2)]).await;
    let report = world.restore(WITH_GROUP).await;
    assert_eq!(report.groups[0].exactness, Some(Exactness::End), "{report:?}");
    assert_eq!(rest(&world.target, "copy", 0, stands(&world, 0).await.unwrap()).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_names_the_groups_and_writes_nothing() {
    let world = World::with(12).await;
    snapshot(&world, "shop", 1, &[(0, 1)]).await;
    let report = handle(Restore { dry_run: true, ..asked(WITH_GROUP) }, &world.context()).await.unwrap();
    assert_eq!(report.outcome, Outcome::Planned, "{report:?}");
    assert_eq!(outcomes(&report)[0], GroupOutcome::Planned);
    assert_eq!(world.target.topics(Some(&["copy".into()])).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn after_a_rehash_a_group_misses_nothing_where_it_may_repeat() {
    let world = World::with(12).await;
    snapshot(&world, "shop", 1, &[(0, 6), (1, 0), (2, 6)]).await;
    let rehashed = |more: &str| format!("rehash = true\n{more}{WITH_GROUP}\ntarget_partitions = 2");
    let report = world.restore(&rehashed("")).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    let error = report.groups.iter().find_map(|group| group.error.clone()).unwrap();
    assert!(error.contains("write may_repeat = true"), "{error}");
    let report = world.restore(&rehashed("may_repeat = true\n")).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    let mut read = vec![];
    for partition in [0, 1] {
        read.extend(rest(&world.target, "copy", partition, stands(&world, partition).await.unwrap()).await);
    }
    for (partition, committed) in [(0, 6), (1, 0), (2, 6)] {
        let unread = rest(&world.source, "orders", partition, Offset(committed)).await;
        assert!(unread.iter().all(|record| read.contains(record)), "partition {partition}");
    }
}
