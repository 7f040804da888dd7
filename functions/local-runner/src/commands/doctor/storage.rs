//! The storage and the locations: owners, what may be done, conditional writes, and the clock.

use std::sync::Arc;

use bytes::Bytes;
use shared::{
    adapters::{
        connect::{self, STORAGE_REMEDY},
        instance,
        s3::probe,
        system_clock::SystemClock,
    },
    archive::{self, reading::holdings},
    config::Settings,
    ports::{
        objects::{ETag, GetRange, ListRequest, Objects, ObjectsError, PutCondition, clock_warning},
        records::Kafka,
    },
};

use super::{Examined, Outcome};

/// How many create the same object at once, or overwrite it, to see that one of them succeeds.
const RACERS: usize = 16;

/// Writes, reads, lists and deletes an object.
pub(super) async fn permissions(objects: &dyn Objects, examined: &mut Examined) {
    let key = format!("{}permissions-{}", probe::FOLDER, instance::name(&SystemClock));
    if let Err(error) = objects.put(&key, Bytes::from_static(b"doctor"), PutCondition::IfAbsent).await {
        return examined.wrong("storage permissions", &error, "allow PutObject");
    }
    let read = objects.get(&key, GetRange::Whole).await.map(drop);
    let listed = objects.list(ListRequest::prefix(probe::FOLDER)).await.map(drop);
    let deleted = objects.delete(&key).await;
    let each = [(read, "allow GetObject"), (listed, "allow ListBucket"), (deleted, "allow DeleteObject")];
    let mut failed = each.iter().filter_map(|(result, remedy)| Some((result.as_ref().err()?, *remedy))).peekable();
    if failed.peek().is_none() {
        return examined.good("storage permissions", "may write, read, list and delete objects");
    }
    failed.for_each(|(error, remedy)| examined.wrong("storage permissions", error, remedy));
}

/// Each prefix belongs to its backup in this cluster, or to nobody yet.
pub(super) async fn owners(settings: &Settings, kafka: &dyn Kafka, objects: &dyn Objects, examined: &mut Examined) {
    let Ok(cluster_id) = kafka.cluster_id().await else { return };
    for backup in settings.backups.keys().map(ToString::to_string) {
        match archive::read_owner(objects, &backup).await {
            Ok(Some(owner)) if owner.cluster_id != cluster_id => {
                let detail = format!("backup {backup} is of cluster {}, and this is {cluster_id}", owner.cluster_id);
                let remedy = "give the backup another name, or the storage another prefix";
                examined.add("owner", Outcome::Wrong, detail, Some(remedy));
            }
            Ok(Some(_)) => match holdings::backups(objects, Some(&backup)).await {
                Ok(_) => examined.good("owner", format!("backup {backup} is this cluster's")),
                Err(error) => examined.wrong("owner", &error, "highwater verify says what is damaged"),
            },
            Ok(None) => examined.good("owner", format!("backup {backup} has not begun")),
            Err(error) => examined.wrong("owner", &error, STORAGE_REMEDY),
        }
    }
}

/// Many create one object at once, and then many overwrite it: one of them must succeed each time, and all others be told.
pub(super) async fn race(objects: Arc<dyn Objects>, what: &'static str, examined: &mut Examined) {
    let key = format!("{}race-{}", probe::FOLDER, instance::name(&SystemClock));
    let raced = raced(&objects, &key).await;
    let cleaned = objects.delete(&key).await;
    match (raced, cleaned) {
        (Err(Raced::Failed(error)), _) => examined.wrong(what, &error, "see the storage's own health"),
        (Err(Raced::Unsafe(detail)), _) => {
            let remedy = "choose a store with atomic If-None-Match and If-Match, as AWS S3 and MinIO have them: else two writers can overwrite each other";
            examined.add(what, Outcome::Wrong, detail, Some(remedy));
        }
        (Ok(()), Err(error)) => examined.wrong(what, &error, "allow DeleteObject"),
        (Ok(()), Ok(())) => {
            let detail = format!("of {RACERS} creates of one object at once one succeeded, and of {RACERS} overwrites");
            examined.good(what, detail);
        }
    }
}

/// Why a race did not end as it must.
enum Raced {
    Failed(ObjectsError),
    /// Not one succeeded.
    Unsafe(String),
}

async fn raced(objects: &Arc<dyn Objects>, key: &str) -> Result<(), Raced> {
    let created = the_winner(objects, key, PutCondition::IfAbsent, "creates").await?;
    the_winner(objects, key, PutCondition::IfMatch(created), "overwrites").await.map(drop)
}

/// What the one wrote that succeeded.
async fn the_winner(objects: &Arc<dyn Objects>, key: &str, condition: PutCondition, what: &str) -> Result<ETag, Raced> {
    let body = |racer: usize| Bytes::from(format!("{what} {racer}"));
    let puts = (0..RACERS).map(|racer| objects.put(key, body(racer), condition.clone()));
    let (mut won, mut failed) = (vec![], None);
    for outcome in futures::future::join_all(puts).await {
        match outcome {
            Ok(etag) => won.push(etag),
            Err(ObjectsError::PreconditionFailed { .. } | ObjectsError::Conflict { .. }) => {}
            Err(error) => failed = Some(error),
        }
    }
    match (failed, &won[..]) {
        (Some(error), _) => Err(Raced::Failed(error)),
        (None, [_]) => Ok(won.swap_remove(0)),
        (None, _) => Err(Raced::Unsafe(format!("of {RACERS} {what} of one object at once {} succeeded", won.len()))),
    }
}

/// Each location that is replicated to answers, and creates an object once only.
pub(super) async fn locations(settings: &Settings, examined: &mut Examined) {
    let stores = match connect::locations(settings).await {
        Ok(stores) => stores,
        Err(error) => return examined.wrong("location", &error, "correct its section"),
    };
    for (name, objects) in stores {
        match probe::probe(&*objects, &format!("location {name}")).await {
            Ok(()) => {
                examined.good("location", format!("{name} answers, and creates an object once only"));
                race(objects, "location", examined).await;
            }
            Err(error) => {
                let remedy =
                    format!("start it, or correct section locations.{name}: url, endpoint_url, region, credentials");
                examined.wrong("location", &error, &remedy);
            }
        }
    }
}

pub(super) fn clock(objects: &dyn Objects, examined: &mut Examined) {
    match clock_warning(objects.clock_ahead_ms()) {
        Some(warning) => examined.add("clock", Outcome::Warning, warning, Some("let NTP set this machine's clock")),
        None => examined.good("clock", "this machine's is the storage's"),
    }
}
