//! What is kept of a cluster in memory.

use std::sync::Arc;

use shared::{
    adapters::memory::{
        clock::ManualClock,
        faults::{Faults, FaultyKafka, Odds},
        kafka::MemoryKafka,
        objects::MemoryObjects,
        store::MemoryStore,
    },
    archive::{self, ArchiveError},
    config::{BackupSettings, Settings},
    metrics::runs::{self, FailureKind},
    ports::{
        acls::{Acl, AclAnswer, AclOperation, AclPattern, AclPermission},
        records::{Groups as _, Log as _},
        store::Store as _,
    },
    record::{Millis, Offset, TopicPartition},
};

use crate::{AclOutcome, Archive, ArchiveReport, ClusterError, Context, GroupOutcome, handle};

const NOW: Millis = Millis(1_800_000_000_000);

struct World {
    clock: Arc<ManualClock>,
    kafka: MemoryKafka,
    objects: Arc<MemoryObjects>,
    store: Arc<MemoryStore>,
    context: Context,
}

impl World {
    fn new(change: impl FnOnce(&mut BackupSettings)) -> World {
        let clock = Arc::new(ManualClock::at(NOW));
        let kafka = MemoryKafka::new(clock.clone(), 1);
        kafka.create("orders", 2, &[]);
        kafka.create("other", 1, &[]);
        let objects = Arc::new(MemoryObjects::new(clock.clone()));
        let mut backup = BackupSettings::of("orders".parse().unwrap());
        change(&mut backup);
        let mut settings = Settings::default();
        settings.backups.insert("main".parse().unwrap(), backup);
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let kafka_port = Arc::new(kafka.clone());
        let context = Context::new(&settings, kafka_port, objects.clone(), Some(store.clone()), clock.clone());
        World { store, clock, kafka, objects, context }
    }

    async fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let at = TopicPartition::new(topic, partition);
        self.kafka.commit(group, &[(at, Offset(offset).into())]).await.unwrap();
    }

    async fn run(&self) -> ArchiveReport {
        self.clock.advance(Millis(60_000));
        handle(Archive::default(), &self.context).await.unwrap()
    }

    async fn kept(&self, group: &str) -> Vec<(String, i32, i64)> {
        let snapshot = archive::latest_group(&*self.objects, "main", group, None).await.unwrap();
        let offsets = snapshot.map(|snapshot| snapshot.offsets).unwrap_or_default();
        offsets.iter().map(|it| (it.topic.to_string(), it.partition.0, it.offset.0)).collect()
    }
}

fn outcomes(report: &ArchiveReport) -> Vec<(&str, GroupOutcome)> {
    report.groups.iter().map(|group| (group.group.as_str(), group.outcome)).collect()
}

#[tokio::test]
async fn what_groups_committed_for_the_backups_topics_is_kept_when_it_changes() {
    let world = World::new(|_| {});
    world.commit("shop", "orders", 0, 0).await;
    world.commit("shop", "other", 0, 9).await;
    world.commit("elsewhere", "other", 0, 9).await;
    world.commit("highwater.main", "orders", 0, 9).await;
    let report = world.run().await;
    assert_eq!(outcomes(&report), [("elsewhere", GroupOutcome::Nothing), ("shop", GroupOutcome::Stored)]);
    assert_eq!(world.kept("shop").await, [("orders".to_owned(), 0, 0)], "0 is a commit");
    assert_eq!(outcomes(&world.run().await)[1], ("shop", GroupOutcome::Unchanged));
    world.commit("shop", "orders", 1, 3).await;
    assert_eq!(outcomes(&world.run().await)[1], ("shop", GroupOutcome::Stored));
    assert_eq!(archive::group_moments(&*world.objects, "main", "shop").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_topic_that_is_deleted_takes_no_offset_out_of_the_backup() {
    let world = World::new(|_| {});
    world.commit("shop", "orders", 0, 5).await;
    world.run().await;
    world.kafka.delete("orders");
    world.run().await;
    assert_eq!(world.kept("shop").await, [("orders".to_owned(), 0, 5)]);
}

#[tokio::test]
async fn another_cluster_at_the_brokers_addresses_puts_nothing_into_the_backup() {
    let world = World::new(|_| {});
    world.commit("shop", "orders", 0, 5).await;
    archive::claim_owner(&*world.objects, "main", "the cluster before").await.unwrap();
    let refused = handle(Archive::default(), &world.context).await.unwrap_err();
    assert!(matches!(refused, ClusterError::Archive(ArchiveError::OtherOwner { .. })), "{refused}");
    assert_eq!(world.kept("shop").await, []);
    let topic = world.kafka.topics(Some(&["orders".into()])).await.unwrap().swap_remove(0);
    assert!(archive::latest_topic(&*world.objects, "main", "orders", &topic.id).await.unwrap().is_none());
}

#[tokio::test]
async fn how_topics_are_set_up_is_kept_when_it_changes() {
    let world = World::new(|_| {});
    world.kafka.delete("orders");
    world.kafka.create("orders", 5, &[("retention.ms", "7".to_owned())]);
    let report = world.run().await;
    assert_eq!(report.topics.iter().map(|it| (&*it.topic, it.is_new)).collect::<Vec<_>>(), [("orders", true)]);
    assert!(!world.run().await.topics[0].is_new);
    let id = world.kafka.topics(Some(&["orders".into()])).await.unwrap().swap_remove(0).id;
    let kept = archive::latest_topic(&*world.objects, "main", "orders", &id).await.unwrap().unwrap();
    assert_eq!((kept.partitions, &*kept.settings["retention.ms"]), (5, "7"));
}

#[tokio::test]
async fn the_access_rules_that_hold_for_a_topic_are_kept_and_not_being_shown_them_is_no_failure() {
    let world = World::new(|_| {});
    let rule = |name: &str| Acl {
        pattern: AclPattern::Prefixed,
        name: name.to_owned(),
        principal: "User:a".to_owned(),
        host: "*".to_owned(),
        operation: AclOperation::Read,
        permission: AclPermission::Allow,
    };
    let outcome = |report: &ArchiveReport| (report.acls[0].outcome, report.topics[0].is_new, report.is_complete());
    world.kafka.set_acls(AclAnswer::Listed(vec![rule("ord"), rule("pay")]));
    assert_eq!(outcome(&world.run().await), (AclOutcome::Kept, true, true));
    assert_eq!(outcome(&world.run().await), (AclOutcome::Kept, false, true));
    world.kafka.set_acls(AclAnswer::NotAllowed { message: "let the principal Describe the cluster".to_owned() });
    let report = world.run().await;
    assert_eq!(outcome(&report), (AclOutcome::NotAllowed, false, true));
    assert_eq!(report.acls[0].error.as_deref(), Some("let the principal Describe the cluster"));
    let id = world.kafka.topics(Some(&["orders".into()])).await.unwrap().swap_remove(0).id;
    let kept = archive::latest_topic(&*world.objects, "main", "orders", &id).await.unwrap().unwrap();
    assert_eq!(kept.acls, Some(vec![rule("ord")]));
}

#[tokio::test]
async fn only_the_groups_that_are_asked_for_are_kept() {
    let world = World::new(|backup| backup.groups = vec!["shop-*".parse().unwrap()]);
    world.commit("shop-1", "orders", 0, 5).await;
    world.commit("bank", "orders", 0, 5).await;
    assert_eq!(outcomes(&world.run().await), [("shop-1", GroupOutcome::Stored)]);
    let world = World::new(|backup| backup.groups = vec![]);
    world.commit("shop-1", "orders", 0, 5).await;
    assert_eq!(outcomes(&world.run().await), []);
}

#[tokio::test]
async fn an_unknown_backup_is_an_error() {
    let world = World::new(|_| {});
    let input = Archive { backup: Some("nothing".to_owned()) };
    let error = handle(input, &world.context).await.unwrap_err();
    assert!(error.to_string().contains("no backup \"nothing\" is configured"), "{error}");
}

#[tokio::test]
async fn runs_are_counted_by_what_failed_and_the_last_success_has_a_time() {
    let world = World::new(|_| {});
    world.run().await;
    let told = runs::read(&world.store.read(&runs::queries()).await.unwrap());
    assert_eq!(told.failures, []);
    let [success] = &told.successes[..] else { panic!("{told:?}") };
    assert_eq!((&*success.function, &*success.backup, success.at), (crate::NAME, "main", Millis(NOW.0 + 60_000)));

    let nothing = Arc::new(MemoryKafka::new(world.clock.clone(), 1));
    let deaf = FaultyKafka::new(nothing, Arc::new(Faults::new(1, Odds { fail_before: 1.0, ..Odds::NONE }, None)));
    let context = Context { kafka: Arc::new(deaf), ..world.context };
    handle(Archive::default(), &context).await.unwrap_err();
    let told = runs::read(&world.store.read(&runs::queries()).await.unwrap());
    assert_eq!(told.failures, [(crate::NAME, FailureKind::Kafka, 1)]);
}
