//! Verification on a small backup in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    adapters::memory::{clock::ManualClock, objects::MemoryObjects, store::MemoryStore},
    archive::reading::walk::Depth,
    chain::verify::FindingKind,
    config::selection::{TopicPattern, TopicSelection},
    metrics::{
        registers,
        runs::{self, FailureKind},
        standing::Message,
        verifications::{self, Verification},
    },
    ports::{
        objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
        records::Groups,
        store::{Query, Store, Value},
    },
    record::{Millis, Offset, TopicPartition},
};

use self::test_backup::{NOW, TestBackup};
use crate::{
    Context, Verified, VerifyError, Witness,
    context::Nobody,
    handle,
    verify::{How, verified},
    witnesses::Witnesses,
};

mod damage;
mod test_backup;

const FIRST: &str = "main/orders/1/0/00000000000000000000.kan";
const SECOND: &str = "main/orders/1/0/00000000000000000006.kan";

async fn verify(test: &TestBackup, witnesses: &Witnesses) -> Verified {
    verified(&*test.objects, None, witnesses, &How::new(false)).await.unwrap()
}

fn everything() -> TopicSelection {
    TopicSelection { include: vec!["*".parse().unwrap()], exclude: vec![] }
}

fn nobody() -> Witnesses {
    Witnesses::default()
}

fn kinds(verified: &Verified) -> Vec<String> {
    verified.findings().map(|finding| format!("{:?} {}", finding.kind, finding.key)).collect()
}

#[tokio::test]
async fn a_whole_backup_is_good_and_counted() {
    let verified = verify(&TestBackup::make().await, &nobody()).await;
    assert!(verified.good);
    let present = verified.backups[0].chains.iter().map(|chain| (chain.present.records, chain.present.segments));
    assert_eq!(present.collect::<Vec<_>>(), [(10, 2), (3, 1)]);
}

#[tokio::test]
async fn deep_reads_every_byte_and_says_how_many() {
    let test = TestBackup::make().await;
    let verified = verified(&*test.objects, None, &nobody(), &How::new(true)).await.unwrap();
    let stored: u64 = verified.backups[0].chains.iter().map(|chain| chain.present.stored_bytes).sum();
    assert!(verified.good && verified.backups[0].bytes_read == stored && stored > 0, "{stored}");
}

#[tokio::test]
async fn a_missing_segment_an_unreadable_one_and_a_foreign_object_are_each_named() {
    let test = TestBackup::make().await;
    test.objects.delete(FIRST).await.unwrap();
    let put =
        async |key: &str, body: &'static str| test.objects.put(key, body.into(), PutCondition::IfAbsent).await.unwrap();
    put("main/orders/1/0/00000000000000000010.kan", "no segment").await;
    put("main/orders/1/0/notes.txt", "mine").await;
    put("main/orders/7/0/00000000000000000000.kan", "of no claimed incarnation").await;
    let verified = verify(&test, &nobody()).await;
    assert!(!verified.good);
    let expected = [
        "Foreign main/orders/1/0/notes.txt".to_owned(),
        "Foreign main/orders/7/0/00000000000000000000.kan".to_owned(),
        format!("MissingRange {SECOND}"),
        "Damaged main/orders/1/0/00000000000000000010.kan".to_owned(),
    ];
    assert_eq!(kinds(&verified), expected);
}

/// A storage of small pages, to which objects are added once the first segment was listed.
struct Growing {
    inner: Arc<MemoryObjects>,
    added: Mutex<Vec<(String, Bytes)>>,
}

#[async_trait]
impl Objects for Growing {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.inner.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.inner.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        let page = self.inner.list(ListRequest { limit: 1, ..request }).await?;
        if page.objects.iter().any(|entry| entry.key == FIRST) {
            let added = std::mem::take(&mut *self.added.lock().unwrap());
            for (key, body) in added {
                self.inner.put(&key, body, PutCondition::IfAbsent).await?;
            }
        }
        Ok(page)
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.inner.delete(key).await
    }
}

#[tokio::test]
async fn a_topic_that_is_created_again_and_backed_up_meanwhile_is_not_foreign() {
    let test = TestBackup::make().await;
    let all = async || test.objects.list(ListRequest::prefix("main/")).await.unwrap().objects;
    let before = all().await;
    test.create_again().await;
    let mut added = vec![];
    for entry in all().await.into_iter().filter(|entry| !before.iter().any(|it| it.key == entry.key)) {
        added.push((entry.key.clone(), test.objects.get(&entry.key, GetRange::Whole).await.unwrap().unwrap().body));
        test.objects.delete(&entry.key).await.unwrap();
    }
    assert_eq!(added.len(), 2, "a claim and a segment: {added:?}");
    let growing = Growing { inner: test.objects.clone(), added: Mutex::new(added) };
    let verified = verified(&growing, None, &nobody(), &How::new(false)).await.unwrap();
    assert_eq!((kinds(&verified), verified.backups[0].chains.len()), (vec![], 3));
}

#[tokio::test]
async fn a_segment_that_lies_in_anothers_place_is_foreign() {
    let test = TestBackup::make().await;
    let body = test.objects.get(FIRST, GetRange::Whole).await.unwrap().unwrap().body;
    test.objects.put("main/orders/1/1/00000000000000000003.kan", body, PutCondition::IfAbsent).await.unwrap();
    let verified = verify(&test, &nobody()).await;
    assert_eq!(kinds(&verified), ["Foreign main/orders/1/1/00000000000000000003.kan"]);
}

#[tokio::test]
async fn a_tail_that_kafka_knows_was_stored_is_missed() {
    let test = TestBackup::make().await;
    let witnesses = Witnesses { kafka: Some(test.kafka.clone()), ..nobody() };
    assert!(verify(&test, &witnesses).await.good);
    test.objects.delete(SECOND).await.unwrap();
    let found = verify(&test, &witnesses).await;
    assert_eq!(kinds(&found), ["MissingTail main/orders/1/0/"]);
    let finding = found.findings().next().unwrap();
    assert_eq!((finding.from, finding.to), (Some(Offset(6)), Some(Offset(10))));
    assert!(finding.detail.contains("the committed offset of group highwater.main is 10"), "{}", finding.detail);
}

#[tokio::test]
async fn a_log_that_went_back_is_told_as_long_as_the_backup_goes_on_with_the_topic() {
    let test = TestBackup::make().await;
    test.kafka.go_back(&TopicPartition::new("orders", 0), Offset(2));
    let of = |exclude: Vec<TopicPattern>| Witnesses {
        kafka: Some(test.kafka.clone()),
        configured: [("main".to_owned(), TopicSelection { exclude, ..everything() })].into(),
        ..nobody()
    };
    assert_eq!(kinds(&verify(&test, &of(vec![])).await), ["LogDiverged main/orders/1/0/"]);
    let verified = verify(&test, &of(vec!["orders".parse().unwrap()])).await;
    assert!(verified.good, "what is stored is whole: {:?}", kinds(&verified));
}

#[tokio::test]
async fn the_committed_offsets_of_a_topic_that_was_created_again_say_nothing_of_the_old_one() {
    let test = TestBackup::make().await;
    test.kafka.delete("orders");
    test.kafka.create("orders", 2, &[]);
    let partition = TopicPartition::new("orders", 0);
    test.kafka.commit("highwater.main", &[(partition, Offset(1_000).into())]).await.unwrap();
    assert!(verify(&test, &Witnesses { kafka: Some(test.kafka.clone()), ..nobody() }).await.good);
}

/// A store of figures that got every standing that was sent.
async fn figures(test: &TestBackup) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW))));
    for value in test.metrics_messages().await {
        let message = Message::decode(&serde_json::from_slice(&value).unwrap()).unwrap();
        store.apply(&[], &registers::operations(&message)).await.unwrap();
    }
    store
}

#[tokio::test]
async fn figures_that_agree_are_good_and_those_that_lack_or_exceed_are_told() {
    let test = TestBackup::make().await;
    let configured = || [("main".to_owned(), everything())].into();
    let with_figures = |store: Arc<MemoryStore>| Witnesses { store: Some(store), configured: configured(), ..nobody() };
    let store = figures(&test).await;
    assert!(verify(&test, &with_figures(store.clone())).await.good);

    let empty = Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW))));
    let expected = ["Metrics main/orders/1/0/", "Metrics main/orders/1/1/"];
    assert_eq!(kinds(&verify(&test, &with_figures(empty)).await), expected);

    test.objects.delete(SECOND).await.unwrap();
    assert_eq!(kinds(&verify(&test, &with_figures(store)).await), ["MissingTail main/orders/1/0/"]);
}

#[tokio::test]
async fn figures_that_are_missing_of_a_backup_that_is_not_configured_are_noted_and_those_that_are_behind_are_wrong() {
    let test = TestBackup::make().await;
    let empty = Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW))));
    let found = verify(&test, &Witnesses { store: Some(empty.clone()), ..nobody() }).await;
    let notes: Vec<_> = found.notes().map(|note| (note.kind, &*note.key)).collect();
    let expected = ["main/orders/1/0/", "main/orders/1/1/"].map(|folder| (FindingKind::Metrics, folder));
    assert!(found.good && notes == expected, "{notes:?} {:?}", kinds(&found));
    assert!(
        found.notes().all(|note| note.detail.contains("no figures") && note.detail.contains("not configured here"))
    );

    let first = Message::decode(&serde_json::from_slice(&test.metrics_messages().await[0]).unwrap()).unwrap();
    empty.apply(&[], &registers::operations(&first)).await.unwrap();
    let found = verify(&test, &Witnesses { store: Some(empty), ..nobody() }).await;
    let details: Vec<_> = found.findings().map(|finding| &*finding.detail).collect();
    assert!(!found.good && details.len() == 1 && details[0].starts_with("the figures end at "), "{details:?}");
}

#[tokio::test]
async fn a_run_without_a_witness_that_is_configured_is_not_kept_nor_counted() {
    let test = TestBackup::make().await;
    let (store, clock) = (figures(&test).await, Arc::new(ManualClock::at(NOW)));
    let before = store.snapshot();
    let mut context = Context::new(None, test.objects.clone(), None, Some(store.clone()), clock, "test");
    context.without(Witness::Kafka, &VerifyError::NoFigures);
    let verified = handle(crate::Verify::default(), &context).await.unwrap();
    assert_eq!((verified.good, kinds(&verified), verified.not_compared.len()), (false, vec![], 1));
    assert!(store.snapshot() == before, "{:?}", store.keys());
}

#[tokio::test]
async fn a_storage_without_a_backup_is_good_and_one_that_was_asked_for_by_name_is_an_error() {
    let test = TestBackup::make().await;
    for entry in test.objects.list(ListRequest::prefix("main/")).await.unwrap().objects {
        test.objects.delete(&entry.key).await.unwrap();
    }
    test.objects.put("someone/else.txt", Bytes::new(), PutCondition::IfAbsent).await.unwrap();
    assert!(verify(&test, &nobody()).await.good);
    let error = verified(&*test.objects, Some("main"), &nobody(), &How::new(false)).await.unwrap_err();
    assert!(error.to_string().contains("no backup \"main\""), "{error}");
}

#[tokio::test]
async fn a_configured_backup_of_which_nothing_is_there_may_be_looked_for_in_the_wrong_place() {
    let test = TestBackup::make().await;
    let store = figures(&test).await;
    let configured = ["main", "unheard-of"].map(|name| (name.to_owned(), everything()));
    let with = |witnesses: Witnesses| Witnesses { configured: configured.clone().into(), ..witnesses };
    let elsewhere = MemoryObjects::new(Arc::new(ManualClock::at(NOW)));
    for (witnesses, who) in [
        (with(Witnesses { store: Some(store.clone()), ..nobody() }), "redis has figures"),
        (with(Witnesses { kafka: Some(test.kafka.clone()), ..nobody() }), "kafka's group has committed offsets"),
    ] {
        assert!(verify(&test, &witnesses).await.good, "the storage of before");
        let found = verified(&elsewhere, None, &witnesses, &How::new(false)).await.unwrap();
        assert_eq!(kinds(&found), ["MissingTail main/"]);
        let detail = &found.findings().next().unwrap().detail;
        assert!(detail.contains(who) && detail.contains("storage.url and the name of the backup"), "{detail}");
    }
}

#[tokio::test]
async fn the_result_of_a_run_is_kept_in_redis_for_the_metrics() {
    let test = TestBackup::make().await;
    let (store, clock) = (figures(&test).await, Arc::new(ManualClock::at(NOW)));
    let context = Context::new(None, test.objects.clone(), None, Some(store.clone()), clock.clone(), "test");
    let last = async || {
        let answers = store.read(&[Query::Registers(verifications::KEY.to_owned())]).await.unwrap();
        let Some(Value::Registers(registers)) = answers.into_iter().next() else { panic!("a hash") };
        verifications::read(&registers)
    };
    let expected = |deep, findings| vec![Verification { backup: "main".into(), at: NOW, deep, findings }];
    assert!(handle(crate::Verify::default(), &context).await.unwrap().good);
    assert_eq!(last().await, expected(false, 0));
    test.objects.delete(FIRST).await.unwrap();
    clock.set(Millis(NOW.0 + 1));
    assert!(!handle(crate::Verify { deep: true, ..Default::default() }, &context).await.unwrap().good);
    assert_eq!(last().await.first().map(|it| (it.deep, it.findings)), Some((true, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_end_before_its_deadline_says_so() {
    let test = TestBackup::make().await;
    let context = Context::new(None, test.objects.clone(), None, None, Arc::new(ManualClock::at(NOW)), "test");
    let input = crate::Verify::default().by(NOW);
    let error = handle(input, &context).await.unwrap_err();
    assert!(matches!(error, VerifyError::OutOfTime { .. }), "{error}");
    assert!(handle(crate::Verify::default().by(Millis(NOW.0 + 60_000)), &context).await.unwrap().good);
}

impl How {
    /// Without keys, by a reader of this name, told nobody.
    fn new(deep: bool) -> Self {
        How {
            depth: if deep { Depth::Records } else { Depth::Footers },
            repair: false,
            seals: BTreeMap::new(),
            reader: "verify-test".to_owned(),
            progress: Arc::new(Nobody),
        }
    }
}

/// That this compiles is the test: whoever hosts the function spawns it.
#[test]
fn a_run_can_be_spawned() {
    fn spawned(_: fn(Arc<Context>) -> futures::future::BoxFuture<'static, bool>) {}
    spawned(|context| Box::pin(async move { handle(crate::Verify::default(), &context).await.is_ok() }));
}

#[tokio::test]
async fn runs_are_counted_by_what_failed_and_the_last_success_has_a_time() {
    let test = TestBackup::make().await;
    let (store, clock) = (figures(&test).await, Arc::new(ManualClock::at(NOW)));
    let context = Context::new(None, test.objects.clone(), None, Some(store.clone()), clock, "test");
    let runs = async || runs::read(&store.read(&runs::queries()).await.unwrap());
    let unknown = crate::Verify { backup: Some("unheard-of".into()), ..Default::default() };
    handle(unknown, &context).await.unwrap_err();
    handle(crate::Verify::default().by(NOW), &context).await.unwrap_err();
    let failed = runs().await;
    assert_eq!((failed.failures, failed.successes.len()), (vec![(crate::NAME, FailureKind::Settings, 2)], 0));
    test.objects.delete(FIRST).await.unwrap();
    assert!(!handle(crate::Verify::default(), &context).await.unwrap().good);
    let told = runs().await;
    let successes: Vec<_> = told.successes.iter().map(|it| (&*it.function, &*it.backup, it.at)).collect();
    assert_eq!(successes, [(crate::NAME, "main", NOW)], "a run that finds something wrong has done all it had to");
}
