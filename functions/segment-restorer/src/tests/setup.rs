//! How targets are set up.

use super::*;

/// What cluster-archiver keeps of the source topic.
async fn keep_setup(world: &World, partitions: i32, settings: &[(&str, &str)]) {
    let id = world.source.topics(Some(&["orders".into()])).await.unwrap().swap_remove(0).id;
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let snapshot = TopicSnapshot::new("orders".into(), id, NOW, partitions, settings);
    archive::store_topic(&*world.objects, "main", snapshot).await.unwrap();
}

async fn own_settings(world: &World) -> TopicSettings {
    world.target.overrides(&["orders".into()]).await.unwrap().swap_remove(0).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_created_is_set_up_as_the_source_was() {
    let world = World::with(5).await;
    let of_brokers = ("leader.replication.throttled.replicas", "0:1");
    keep_setup(&world, 7, &[("cleanup.policy", "compact"), ("segment.bytes", "1048576"), of_brokers]).await;
    let report = world.restore(&format!("settings = {{ \"segment.bytes\" = \"2097152\" }}\n{ORDERS}")).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    let target = world.target.topics(Some(&["orders".into()])).await.unwrap().swap_remove(0);
    assert_eq!(target.partitions, 7, "those without a record too");
    let settings = own_settings(&world).await;
    assert_eq!(settings["cleanup.policy"], "compact");
    assert_eq!(settings["segment.bytes"], "2097152", "what the plan says holds");
    assert_eq!(settings.len(), 2, "nothing names brokers of the source: {settings:?}");
    world.assert_same("orders").await;
}

#[tokio::test(start_paused = true)]
async fn settings_that_the_target_refuses_are_named_and_the_plan_decides() {
    let world = World::with(5).await;
    keep_setup(&world, 3, &[("message.format.version", "2.8"), ("segment.bytes", "1048576")]).await;
    world.target.refuse_setting("message.format.version");
    let report = world.restore(ORDERS).await;
    assert_eq!(kinds(&report), [Kind::Settings], "{report:?}");
    assert!(report.findings[0].message.contains("message.format.version=2.8"), "{report:?}");
    assert_eq!(world.target.topics(Some(&["orders".into()])).await.unwrap(), []);

    let report = world.restore(&format!("refused_settings = \"leave_out\"\n{ORDERS}")).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    assert!(report.findings.iter().any(|it| it.kind == Kind::Settings && !it.is_refusal()), "{report:?}");
    assert_eq!(own_settings(&world).await.into_keys().collect::<Vec<_>>(), ["segment.bytes"]);
}

#[tokio::test(start_paused = true)]
async fn a_target_without_the_partitions_that_never_had_a_record_is_a_note() {
    let world = World::with(5).await;
    keep_setup(&world, 7, &[]).await;
    world.target.create("orders", PARTITIONS, &[]);
    let report = world.restore(ORDERS).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    assert!(report.findings.iter().any(|it| it.kind == Kind::TargetPartitions), "{report:?}");
}
