//! How targets are set up.

use shared::ports::acls::{Acl, AclAnswer, AclOperation, AclPattern, AclPermission, Acls as _};

use super::*;

/// What cluster-archiver keeps of the source topic.
async fn keep_setup(world: &World, partitions: i32, settings: &[(&str, &str)]) {
    keep_setup_with(world, partitions, settings, None).await;
}

async fn keep_setup_with(world: &World, partitions: i32, settings: &[(&str, &str)], acls: Option<Vec<Acl>>) {
    let id = world.source.topics(Some(&["orders".into()])).await.unwrap().swap_remove(0).id;
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let snapshot = TopicSnapshot::new("orders".into(), id, NOW, partitions, settings).with_acls(acls);
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

fn acl(pattern: AclPattern, name: &str, principal: &str) -> Acl {
    let (name, principal, host) = (name.to_owned(), principal.to_owned(), "*".to_owned());
    Acl { pattern, name, principal, host, operation: AclOperation::Read, permission: AclPermission::Allow }
}

#[tokio::test(start_paused = true)]
async fn a_target_gets_the_sources_access_rules_for_itself_alone_where_the_plan_asks_for_them() {
    let world = World::with(5).await;
    let rules = vec![acl(AclPattern::Literal, "orders", "User:a"), acl(AclPattern::Prefixed, "ord", "User:b")];
    keep_setup_with(&world, PARTITIONS, &[], Some(rules)).await;
    let there = acl(AclPattern::Literal, "copy", "User:a");
    world.target.set_acls(AclAnswer::Listed(vec![there.clone()]));
    let plan = "[[topics]]\nsource = \"orders\"\ntarget = \"copy\"";
    let report = world.restore(plan).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    assert_eq!(world.target.acls().await.unwrap(), AclAnswer::Listed(vec![there.clone()]), "nobody asked for them");

    world.target.delete("copy");
    let plan = format!("acls = true\n{plan}");
    let dry = handle(Restore { dry_run: true, ..asked(&plan) }, &world.context()).await.unwrap();
    let [note] = &dry.findings[..] else { panic!("{dry:?}") };
    assert_eq!(note.message, "access rules added to copy: ALLOW READ to User:a; ALLOW READ to User:b");
    let report = world.restore(&plan).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    let expected = vec![there, acl(AclPattern::Literal, "copy", "User:b")];
    assert_eq!(world.target.acls().await.unwrap(), AclAnswer::Listed(expected));
}

#[tokio::test(start_paused = true)]
async fn access_rules_that_cannot_be_restored_are_refused_before_anything_is_written() {
    let world = World::with(5).await;
    let plan = format!("acls = true\n{ORDERS}");
    keep_setup(&world, PARTITIONS, &[]).await;
    world.target.set_acls(AclAnswer::Listed(vec![]));
    let report = world.restore(&plan).await;
    assert_eq!(kinds(&report), [Kind::Acls], "the backup knows none: {report:?}");
    world.target.set_acls(AclAnswer::NotAllowed { message: "let the principal Describe".to_owned() });
    let report = world.restore(&plan).await;
    assert_eq!(kinds(&report), [Kind::Acls], "{report:?}");
    assert_eq!(world.target.topics(Some(&["orders".into()])).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn records_that_the_target_would_refuse_by_their_dates_are_dated_anew_where_the_plan_says_so() {
    let world = World::with(5).await;
    world.target.create("orders", PARTITIONS, &[("message.timestamp.before.max.ms", "500".to_owned())]);
    let report = world.restore(&format!("clamp_timestamps = \"was\"\n{ORDERS}")).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    let was = |timestamp: Millis| Header { name: "was".into(), value: Some(timestamp.to_string().into()) };
    let mut expected = world.contents(&world.source, "orders").await;
    for (timestamp, _, _, headers) in expected.values_mut().flatten().filter(|(timestamp, ..)| timestamp.0 >= 0) {
        headers.push(was(*timestamp));
        *timestamp = Millis(NOW.0 - 250);
    }
    assert_eq!(world.contents(&world.target, "orders").await, expected);
}
