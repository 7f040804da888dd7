//! Backups and restores of registries in memory.

use std::sync::Arc;

use shared::{
    adapters::memory::{
        clock::ManualClock, event_gateway::MemoryGateway, objects::MemoryObjects, registry::MemoryRegistry,
    },
    archive::control,
    job::State,
    metrics::push::{Event, Kind, Push},
    ports::{
        objects::{GetRange, ListRequest, Objects as _, PutCondition},
        registry::{IMPORT, Registry, Schema, Setting},
    },
    pushing::Pushing,
    record::Millis,
    schemas::{IdMap, Snapshot, snapshot::ids_key},
};

use crate::{
    BackupReport, Context, Input, Restore, RestoreOutcome, RestoreReport, SchemaError, SchemaReport, handle, read,
};

struct World {
    clock: Arc<ManualClock>,
    objects: Arc<MemoryObjects>,
    source: Arc<MemoryRegistry>,
}

fn schema(text: &str, references: &[(&str, u32)]) -> Schema {
    let names: Vec<_> = references.iter().map(|(subject, _)| format!("com.{subject}")).collect();
    let named = names.iter().zip(references).map(|(name, (subject, version))| (name.as_str(), *subject, *version));
    Schema::avro(text, &named.collect::<Vec<_>>())
}

impl World {
    /// A registry with versions, references, a soft-deleted version that is referred to, and settings of subjects.
    async fn new() -> World {
        let clock = Arc::new(ManualClock::at(Millis(1_000)));
        let world = World {
            objects: Arc::new(MemoryObjects::new(clock.clone())),
            clock,
            source: Arc::new(MemoryRegistry::default()),
        };
        let registry = &world.source;
        for (subject, text, references) in [
            ("filler", "{\"type\":\"int\"}", vec![]),
            ("a-value", "{\"type\": \"string\"}", vec![]),
            ("a-value", "{\"type\":\"bytes\"}", vec![]),
        ] {
            registry.register(subject, &schema(text, &references), None).await.unwrap();
        }
        registry.delete("a-value", 1).await.unwrap();
        registry.register("b-value", &schema("{\"ref\":\"a\"}", &[("a-value", 1)]), None).await.unwrap();
        registry.delete("filler", 1).await.unwrap();
        registry.set(Setting::Compatibility, Some("a-value"), Some("FULL"), false).await.unwrap();
        registry.set(Setting::Mode, Some("b-value"), Some("READONLY"), false).await.unwrap();
        registry.set(Setting::Compatibility, None, Some("FORWARD"), false).await.unwrap();
        world
    }

    fn context(&self, target: &Arc<MemoryRegistry>) -> Context {
        let (source, target): (Arc<dyn Registry>, Arc<dyn Registry>) = (self.source.clone(), target.clone());
        Context::new(self.objects.clone(), Some(source), Some(target), "main", None, self.clock.clone())
    }

    async fn backup(&self) -> Result<BackupReport, SchemaError> {
        self.clock.advance(Millis(1_000));
        match handle(Input::Backup { whole: false }, &self.context(&self.source)).await? {
            SchemaReport::Backup(report) => Ok(report),
            other => panic!("{other:?}"),
        }
    }

    async fn restore(&self, target: &Arc<MemoryRegistry>, restore: Restore) -> RestoreReport {
        match handle(Input::Restore(restore), &self.context(target)).await.unwrap() {
            SchemaReport::Restore(report) => report,
            other => panic!("{other:?}"),
        }
    }
}

/// Adds versions to a subject.
async fn grow(registry: &MemoryRegistry, subject: &str, texts: std::ops::Range<u32>) {
    for n in texts {
        registry.register(subject, &schema(&format!("{{\"n\":{n}}}"), &[]), None).await.unwrap();
    }
}

async fn all(registry: &MemoryRegistry) -> Snapshot {
    read::snapshot(registry, &[]).await.unwrap()
}

fn empty() -> Arc<MemoryRegistry> {
    Arc::new(MemoryRegistry::default())
}

fn told(report: &RestoreReport) -> String {
    report.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

#[tokio::test]
async fn a_registry_comes_back_with_ids_versions_references_deletions_and_settings() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let target = empty();
    let report = world.restore(&target, Restore::default()).await;
    assert_eq!((report.outcome, report.registered, report.there), (RestoreOutcome::Done, 4, 0), "{}", told(&report));
    assert_eq!(all(&target).await, all(&world.source).await);
    let next = target.register("new", &schema("{\"type\":\"long\"}", &[]), None).await.unwrap();
    assert_eq!(next, 5, "ids go on behind the imported ones");
}

#[tokio::test]
async fn a_second_import_changes_nothing_also_where_versions_or_whole_subjects_are_soft_deleted() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let target = empty();
    world.restore(&target, Restore::default()).await;
    let before = all(&target).await;
    let again = world.restore(&target, Restore::default()).await;
    assert_eq!((again.outcome, again.registered, again.there), (RestoreOutcome::Done, 0, 4), "{}", told(&again));
    assert_eq!(all(&target).await, before);
}

#[tokio::test]
async fn conflicts_are_named_and_nothing_is_written() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let target = empty();
    target.register("theirs", &schema("{\"type\":\"double\"}", &[]), None).await.unwrap();
    let before = all(&target).await;
    let report = world.restore(&target, Restore::default()).await;
    assert_eq!(report.outcome, RestoreOutcome::Refused);
    assert!(
        told(&report).contains("filler: id 1 is another schema in the target, version 1 of theirs"),
        "{}",
        told(&report)
    );
    assert_eq!(all(&target).await, before);
}

#[tokio::test]
async fn a_registry_whose_modes_are_fixed_is_told_before_anything_is_written() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let target = Arc::new(MemoryRegistry::with_fixed_modes());
    let report = world.restore(&target, Restore::default()).await;
    assert_eq!(report.outcome, RestoreOutcome::Refused);
    assert!(told(&report).contains("mode.mutability"), "{}", told(&report));
    assert!(all(&target).await.subjects.is_empty());
}

#[tokio::test]
async fn a_restore_that_was_interrupted_goes_on() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let target = empty();
    target.set(Setting::Compatibility, None, Some("FORWARD"), false).await.unwrap();
    target.set(Setting::Mode, Some("a-value"), Some(IMPORT), false).await.unwrap();
    let first = world.source.version("a-value", 1).await.unwrap().unwrap();
    let place = shared::ports::registry::Place { id: first.id, version: 1 };
    target.register("a-value", &first.schema, Some(place)).await.unwrap();
    let report = world.restore(&target, Restore::default()).await;
    assert_eq!(report.outcome, RestoreOutcome::Done, "{}", told(&report));
    assert_eq!(all(&target).await, all(&world.source).await);
}

#[tokio::test]
async fn with_a_map_the_registry_chooses_ids_and_the_same_again_finds_them() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let target = empty();
    for text in ["{\"type\":\"double\"}", "{\"type\":\"float\"}"] {
        target.register("theirs", &schema(text, &[]), None).await.unwrap();
    }
    let mapped = || Restore { map_ids: Some("copy".to_owned()), ..Restore::default() };
    let report = world.restore(&target, mapped()).await;
    assert_eq!((report.outcome, report.registered), (RestoreOutcome::Done, 4), "{}", told(&report));
    let ids = report.ids.unwrap();
    assert_eq!(ids, [(1, 3), (2, 4), (3, 5), (4, 6)].into());
    for (from, to) in &ids {
        assert_eq!(target.schema(*to).unwrap().schema, world.source.schema(*from).unwrap().schema);
    }
    let again = world.restore(&target, mapped()).await;
    assert_eq!((again.registered, again.there, again.ids.as_ref()), (0, 4, Some(&ids)));
    let kept = control::read::<IdMap>(&*world.objects, &ids_key("main", "copy")).await.unwrap().unwrap().value;
    assert_eq!(kept.ids, ids);
}

#[tokio::test]
async fn with_a_map_a_registry_that_sets_nothing_of_what_is_not_there_gets_all_versions_and_settings() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let target = Arc::new(MemoryRegistry::with_settings_of_what_is_there());
    let report = world.restore(&target, Restore { map_ids: Some("copy".to_owned()), ..Restore::default() }).await;
    assert_eq!((report.outcome, report.registered), (RestoreOutcome::Done, 4), "{}", told(&report));
    let level = target.setting(Setting::Compatibility, Some("a-value")).await.unwrap();
    assert_eq!(level.as_deref(), Some("FULL"));
}

#[tokio::test]
async fn only_what_changed_is_written_and_every_earlier_state_can_be_restored() {
    let world = World::new().await;
    let first = world.backup().await.unwrap();
    assert_eq!((first.subjects, first.versions, first.written, first.changed), (3, 4, 4, true));
    let same = world.backup().await.unwrap();
    assert_eq!((same.written, same.changed, same.taken_at), (0, false, first.taken_at));
    world.source.register("c-key", &schema("{\"type\":\"long\"}", &[]), None).await.unwrap();
    let more = world.backup().await.unwrap();
    assert_eq!((more.versions, more.written, more.changed), (5, 1, true));
    let target = empty();
    let report = world.restore(&target, Restore { at: Some(first.taken_at), ..Restore::default() }).await;
    assert_eq!((report.taken_at, report.registered), (first.taken_at, 4));
}

#[tokio::test]
async fn an_empty_answer_never_replaces_a_snapshot() {
    let mut world = World::new().await;
    world.backup().await.unwrap();
    world.source = empty();
    let error = world.backup().await.unwrap_err();
    assert!(matches!(error, SchemaError::Emptied { subjects: 3, .. }), "{error}");
    let target = empty();
    assert_eq!(world.restore(&target, Restore::default()).await.registered, 4);
}

#[tokio::test]
async fn a_changed_byte_is_found_by_verify_and_stops_a_restore() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let listed = world.objects.list(ListRequest::prefix("=schemas/main/versions/")).await.unwrap();
    let key = &listed.objects[0].key;
    let object = world.objects.get(key, GetRange::Whole).await.unwrap().unwrap();
    let mut bytes = object.body.to_vec();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    world.objects.put(key, bytes.into(), PutCondition::IfMatch(object.etag)).await.unwrap();
    let target = empty();
    let context = world.context(&target);
    let SchemaReport::Verify(report) = handle(Input::Verify {}, &context).await.unwrap() else { panic!("a check") };
    assert!(report.findings.len() == 1 && report.findings[0].contains(key), "{report:?}");
    let error = handle(Input::Restore(Restore::default()), &context).await.unwrap_err();
    assert!(error.to_string().contains(key), "{error}");
    assert!(all(&target).await.subjects.is_empty());
}

#[tokio::test]
async fn a_subject_that_is_not_there_and_a_name_that_is_none_are_refused() {
    let world = World::new().await;
    world.backup().await.unwrap();
    let context = world.context(&world.source);
    for restore in [
        Restore { subjects: vec!["nobody".to_owned()], ..Restore::default() },
        Restore { map_ids: Some("../x".to_owned()), ..Restore::default() },
    ] {
        let error = handle(Input::Restore(restore), &context).await.unwrap_err();
        assert!(matches!(error, SchemaError::UnknownSubject(_) | SchemaError::BadMapName(_)), "{error}");
    }
}

#[tokio::test]
async fn a_backup_reads_only_new_versions_and_the_ends_of_known_subjects() {
    let world = World::new().await;
    grow(&world.source, "long", 0..50).await;
    let backup = async || {
        let before = world.source.versions_read();
        let report = world.backup().await.unwrap();
        (report.changed, report.written, world.source.versions_read() - before)
    };
    assert_eq!(backup().await, (true, 54, 54));
    // One version each of two subjects, two of the others.
    assert_eq!(backup().await, (false, 0, 6));
    grow(&world.source, "long", 50..51).await;
    world.source.delete("long", 7).await.unwrap();
    assert_eq!(backup().await, (true, 1, 7));
    let target = empty();
    world.restore(&target, Restore::default()).await;
    assert_eq!(all(&target).await, all(&world.source).await);
}

#[tokio::test]
async fn a_subject_that_was_deleted_for_good_and_made_anew_is_read_whole() {
    let mut world = World::new().await;
    grow(&world.source, "anew", 0..5).await;
    world.backup().await.unwrap();
    world.source = empty();
    grow(&world.source, "anew", 20..25).await;
    assert_eq!(world.backup().await.unwrap().written, 5);
    let target = empty();
    world.restore(&target, Restore::default()).await;
    assert_eq!(all(&target).await, all(&world.source).await);
}

#[tokio::test]
async fn jobs_tell_the_event_gateway_that_they_began_and_what_they_came_to() {
    let (world, target, gateway) = (World::new().await, empty(), Arc::new(MemoryGateway::default()));
    let mut context = world.context(&target);
    context.pushing = Some(Pushing { gateway: gateway.clone(), namespace: "n".into() });
    handle(Input::Backup { whole: false }, &context).await.unwrap();
    handle(Input::Restore(Restore { dry_run: true, ..Restore::default() }), &context).await.unwrap();
    handle(Input::Restore(Restore::default()), &context).await.unwrap();
    let taken = empty();
    taken.register("theirs", &schema("{\"type\":\"double\"}", &[]), None).await.unwrap();
    context.target = Some(taken);
    handle(Input::Restore(Restore::default()), &context).await.unwrap();
    context.source = Some(empty());
    assert!(handle(Input::Backup { whole: false }, &context).await.is_err());
    let pushes = gateway.pushes();
    assert!(pushes.iter().all(|push| (&*push.name, &*push.topic) == ("main", "main")), "{pushes:?}");
    let (progress, pushes): (Vec<_>, Vec<_>) = pushes.into_iter().partition(|push| push.event == Event::Progress);
    let under_way = |push: &Push| push.body.progress.is_some_and(|progress| progress.get() < 1.0);
    assert!(!progress.is_empty() && progress.iter().all(under_way), "{progress:?}");
    let said: Vec<_> = pushes.iter().map(|push| (push.kind, push.body.state, push.body.records_count)).collect();
    let (backups, restores) = (Kind::SchemaRegistryBackups, Kind::SchemaRegistryRestores);
    let expected = [
        (backups, Some(State::STREAMING), None),
        (backups, Some(State::DONE), Some(4)),
        (restores, Some(State::STREAMING), None),
        (restores, Some(State::DONE), Some(4)),
        (restores, Some(State::STREAMING), None),
        (restores, Some(State::REFUSED), None),
        (backups, Some(State::STREAMING), None),
        (backups, Some(State::FAILED), None),
    ];
    assert_eq!(said, expected);
    assert!(pushes[5].body.message.as_ref().unwrap().contains("another schema"), "{:?}", pushes[5]);
}

#[tokio::test]
async fn fields_that_nobody_knows_come_along() {
    let world = World::new().await;
    let mut unusual = schema("{\"type\":\"boolean\"}", &[]);
    unusual.other.insert("ruleSet".to_owned(), serde_json::json!({ "new": [1, null] }));
    world.source.register("unusual", &unusual, None).await.unwrap();
    world.backup().await.unwrap();
    let target = empty();
    world.restore(&target, Restore::default()).await;
    assert_eq!(target.version("unusual", 1).await.unwrap().unwrap().schema, unusual);
}
