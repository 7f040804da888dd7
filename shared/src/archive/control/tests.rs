use std::sync::Arc;

use super::*;
use crate::{
    adapters::memory::{clock::ManualClock, objects::MemoryObjects},
    archive::{self, AcceptedLosses, StoredFloor, pins},
    chain::{ChainIdentity, keys},
    record::{Offset, TopicId},
    segment::ChainPoint,
};

/// What a newer version of Highwater may write: nothing in it but the version is what this one knows.
const NEWER: &str = r#"{"format_version": 2, "what": "this version does not know"}"#;

async fn with_newer(key: &str) -> MemoryObjects {
    let objects = MemoryObjects::new(Arc::new(ManualClock::at(Millis(0))));
    objects.put(key, NEWER.into(), PutCondition::IfAbsent).await.unwrap();
    objects
}

/// The call was refused with the object's name, and the object is as it was.
async fn refused<T: std::fmt::Debug>(objects: &MemoryObjects, key: &str, answer: Result<T, ArchiveError>) {
    let error = answer.unwrap_err();
    assert!(matches!(&error, ArchiveError::Newer { key: named, found: 2, known: 1 } if named == key), "{error}");
    assert!(!error.retry() && error.to_string().starts_with(&format!("{key} has format version 2")), "{error}");
    let object = objects.get(key, GetRange::Whole).await.unwrap().unwrap();
    assert_eq!(object.body, NEWER);
}

#[tokio::test]
async fn a_newer_owner_is_refused_by_name_and_not_called_another_owner() {
    let key = keys::owner("main");
    let objects = with_newer(&key).await;
    refused(&objects, &key, archive::claim_owner(&objects, "main", "c").await).await;
    refused(&objects, &key, archive::read_owner(&objects, "main").await).await;
}

#[tokio::test]
async fn a_newer_claim_is_refused_by_name_and_no_other_is_made() {
    let key = keys::incarnation("main", "orders", 1);
    let objects = with_newer(&key).await;
    refused(&objects, &key, archive::claims(&objects, "main", "orders").await).await;
    let id = TopicId::from("id");
    refused(&objects, &key, archive::incarnation_of(&objects, "main", "orders", &id, Millis(0)).await).await;
    assert!(objects.get(&keys::incarnation("main", "orders", 2), GetRange::Whole).await.unwrap().is_none());
}

#[tokio::test]
async fn a_newer_floor_is_refused_by_name_and_not_moved() {
    let chain = ChainIdentity::example();
    let key = keys::floor(&chain);
    let objects = with_newer(&key).await;
    refused(&objects, &key, archive::read_floor(&objects, &chain).await).await;
    refused(&objects, &key, archive::chain_end(&objects, &chain, None).await).await;
    let (ground, up) = (StoredFloor::ground(&chain), (Offset(10), ChainPoint::start(&chain)));
    assert!(!archive::move_floor(&objects, &chain, &ground, up, None).await.unwrap());
    assert_eq!(objects.get(&key, GetRange::Whole).await.unwrap().unwrap().body, NEWER);
}

#[tokio::test]
async fn newer_accepted_losses_are_refused_by_name_and_nothing_is_accepted_beside_them() {
    let chain = ChainIdentity::example();
    let key = keys::accepted_loss(&chain);
    let objects = with_newer(&key).await;
    refused(&objects, &key, archive::read_accepted_losses(&objects, &chain).await).await;
    let loss = archive::AcceptedLoss::new(Offset(1), Offset(2), Millis(0));
    assert!(archive::accept_loss(&objects, &chain, AcceptedLosses::default(), loss, None).await.is_err());
    assert_eq!(objects.get(&key, GetRange::Whole).await.unwrap().unwrap().body, NEWER);
}

#[tokio::test]
async fn a_newer_pin_is_refused_by_name_and_neither_revoked_nor_deleted() {
    let key = keys::pin("main", "reader");
    let objects = with_newer(&key).await;
    refused(&objects, &key, pins::in_force(&objects, "main", Millis(i64::MAX)).await).await;
}

#[tokio::test]
async fn a_newer_clock_is_refused_by_name() {
    let key = keys::clock("main");
    let objects = with_newer(&key).await;
    refused(&objects, &key, archive::store_time(&objects, "main").await).await;
}

#[tokio::test]
async fn a_newer_pause_pauses_and_is_not_ended_by_a_version_that_does_not_know_it() {
    let key = keys::pause("main", Some("orders"));
    let objects = with_newer(&key).await;
    assert!(archive::read_pauses(&objects, "main").await.unwrap().since("orders").is_some());
    archive::pause(&objects, "main", Some("orders"), Millis(0)).await.unwrap();
    refused(&objects, &key, archive::resume(&objects, "main", Some("orders")).await).await;
}

#[tokio::test]
async fn an_object_is_written_in_place_of_what_was_read_and_of_nothing_else() {
    let objects = MemoryObjects::new(Arc::new(ManualClock::at(Millis(7))));
    let value = |text: &str| serde_json::json!({ "format_version": 1, "text": text });
    let etag = compare_and_set(&objects, "k", None, &value("a")).await.unwrap();
    assert_eq!(compare_and_set(&objects, "k", None, &value("b")).await.unwrap(), None);
    let read: Stored<serde_json::Value> = super::read(&objects, "k").await.unwrap().unwrap();
    assert_eq!((&read.value, Some(&read.etag), read.modified), (&value("a"), etag.as_ref(), Millis(7)));
    assert!(compare_and_set(&objects, "k", etag.clone(), &value("b")).await.unwrap().is_some());
    let late = replace(&objects, "k", etag, &value("c")).await.unwrap_err();
    assert!(matches!(late, ArchiveError::Objects(ObjectsError::PreconditionFailed { .. })), "{late}");
}

#[tokio::test]
async fn what_is_no_control_object_is_damaged() {
    let objects = MemoryObjects::new(Arc::new(ManualClock::at(Millis(0))));
    objects.put("k", "{".into(), PutCondition::IfAbsent).await.unwrap();
    let damaged = super::read::<Versioned>(&objects, "k").await.err().unwrap();
    assert!(matches!(damaged, ArchiveError::Damaged { .. }), "{damaged}");
    super::remove(&objects, "k").await.unwrap();
    super::remove(&objects, "k").await.unwrap();
    assert!(super::read::<Versioned>(&objects, "k").await.unwrap().is_none());
}
