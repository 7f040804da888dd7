use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use shared::{
    adapters::memory::{clock::ManualClock, objects::MemoryObjects, store::MemoryStore},
    metrics::{registers, standing::Message},
    ports::{
        objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
        records::Groups,
        store::Store,
    },
    record::{Offset, TopicPartition},
};

use super::{report::Verified, *};
use crate::test_backup::{NOW, TestBackup};

const FIRST: &str = "main/orders/1/0/00000000000000000000.kan";
const SECOND: &str = "main/orders/1/0/00000000000000000006.kan";

async fn verify(test: &TestBackup, witnesses: &Witnesses) -> Verified {
    verified(&*test.objects, None, witnesses, &How::new(false, None)).await.unwrap()
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
    let text = output::Report::text(&verified);
    assert!(text.contains("good: 13 records in 3 segments"), "{text}");
}

#[tokio::test]
async fn deep_reads_every_byte_and_says_how_many_and_how_fast() {
    let test = TestBackup::make().await;
    let verified = verified(&*test.objects, None, &nobody(), &How::new(true, None)).await.unwrap();
    let stored: u64 = verified.backups[0].chains.iter().map(|chain| chain.present.stored_bytes).sum();
    assert!(verified.good && verified.backups[0].bytes_read == stored && stored > 0, "{stored}");
    let text = output::Report::text(&verified);
    assert!(text.contains("good: 13 records in 3 segments, every one read: 0.0 MB in 0.0 s, "), "{text}");
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
    let verified = verified(&growing, None, &nobody(), &How::new(false, None)).await.unwrap();
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
    let with_figures = |store: Arc<MemoryStore>| Witnesses { store: Some(store), ..nobody() };
    let store = figures(&test).await;
    assert!(verify(&test, &with_figures(store.clone())).await.good);

    let empty = Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW))));
    let expected = ["Metrics main/orders/1/0/", "Metrics main/orders/1/1/"];
    assert_eq!(kinds(&verify(&test, &with_figures(empty)).await), expected);

    test.objects.delete(SECOND).await.unwrap();
    assert_eq!(kinds(&verify(&test, &with_figures(store)).await), ["MissingTail main/orders/1/0/"]);
}

#[tokio::test]
async fn a_storage_without_a_backup_is_good_and_one_that_was_asked_for_by_name_is_an_error() {
    let test = TestBackup::make().await;
    for entry in test.objects.list(ListRequest::prefix("main/")).await.unwrap().objects {
        test.objects.delete(&entry.key).await.unwrap();
    }
    test.objects.put("someone/else.txt", Bytes::new(), PutCondition::IfAbsent).await.unwrap();
    assert!(verify(&test, &nobody()).await.good);
    let error = verified(&*test.objects, Some("main"), &nobody(), &How::new(false, None)).await.unwrap_err();
    assert!(error.to_string().contains("no backup \"main\""), "{error}");
}
