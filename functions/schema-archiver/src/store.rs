//! Snapshots in the storage. Whatever is read is compared with the digest in its name.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use shared::{
    archive::{self, control},
    ports::{
        objects::{GetRange, Objects, ObjectsError, PutCondition},
        registry::Version,
    },
    record::Millis,
    schemas::{
        Held, IdMap, Manifest, Snapshot, Subject,
        snapshot::{SubjectEntry, ids_key, parse_snapshot, sha256, snapshot_key, snapshots_folder, version_key},
    },
    segment::metadata::FORMAT_VERSION,
};

use crate::{
    error::SchemaError,
    report::{SnapshotReport, VerifyReport},
};

/// Writes a version, unless it is there; answers whether it was written.
pub(crate) async fn put_version(
    objects: &dyn Objects,
    registry: &str,
    sha256: &str,
    body: Bytes,
) -> Result<bool, SchemaError> {
    put(objects, &version_key(registry, sha256), body).await
}

/// Writes a snapshot.
pub(crate) async fn put_snapshot(
    objects: &dyn Objects,
    registry: &str,
    manifest: &Manifest,
    sha256: &str,
    body: Bytes,
) -> Result<bool, SchemaError> {
    put(objects, &snapshot_key(registry, manifest.taken_at, sha256), body).await
}

/// What is there already has the same digest, so the same bytes.
async fn put(objects: &dyn Objects, key: &str, body: Bytes) -> Result<bool, SchemaError> {
    match objects.put(key, body, PutCondition::IfAbsent).await {
        Ok(_) => Ok(true),
        Err(ObjectsError::PreconditionFailed { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The keys of all snapshots, the oldest first.
async fn snapshots(objects: &dyn Objects, registry: &str) -> Result<Vec<String>, SchemaError> {
    let entries = archive::objects_below(objects, &snapshots_folder(registry)).await?;
    Ok(entries.into_iter().map(|entry| entry.key).filter(|key| parse_snapshot(key).is_some()).collect())
}

/// The last snapshot that was taken by a time, or the last.
pub(crate) async fn latest(
    objects: &dyn Objects,
    registry: &str,
    by: Option<Millis>,
) -> Result<Option<Manifest>, SchemaError> {
    let keys = snapshots(objects, registry).await?;
    let is_early = |key: &&String| by.is_none_or(|by| parse_snapshot(key).is_some_and(|(taken_at, _)| taken_at <= by));
    match keys.iter().rfind(is_early) {
        Some(key) => manifest(objects, key).await.map(Some),
        None => Ok(None),
    }
}

async fn manifest(objects: &dyn Objects, key: &str) -> Result<Manifest, SchemaError> {
    let digest = parse_snapshot(key).map(|(_, digest)| digest.to_owned()).unwrap_or_default();
    let manifest: Manifest = read(objects, key, &digest).await?;
    let newer = SchemaError::Newer { key: key.to_owned(), found: manifest.format_version, known: FORMAT_VERSION };
    if manifest.format_version > FORMAT_VERSION { Err(newer) } else { Ok(manifest) }
}

/// The object with these bytes, and no other.
async fn read<T: DeserializeOwned>(objects: &dyn Objects, key: &str, digest: &str) -> Result<T, SchemaError> {
    let damaged = |what: String| SchemaError::Damaged { key: key.to_owned(), what };
    let object = objects.get(key, GetRange::Whole).await?.ok_or_else(|| damaged("it is missing".to_owned()))?;
    if sha256(&object.body) != digest {
        return Err(damaged("its bytes are not those that were written: its SHA-256 is another".to_owned()));
    }
    serde_json::from_slice(&object.body).map_err(|error| damaged(format!("it cannot be read: {error}")))
}

/// The last snapshot that was taken by a time, with its schemas.
pub(crate) async fn load(
    objects: &dyn Objects,
    registry: &str,
    by: Option<Millis>,
) -> Result<(Millis, Snapshot), SchemaError> {
    let when = by.map(|by| format!(" before {by}")).unwrap_or_default();
    let none = || SchemaError::NoSnapshot { name: registry.to_owned(), when };
    let manifest = latest(objects, registry, by).await?.ok_or_else(none)?;
    let taken_at = manifest.taken_at;
    Ok((taken_at, whole(objects, registry, manifest).await?))
}

async fn whole(objects: &dyn Objects, registry: &str, manifest: Manifest) -> Result<Snapshot, SchemaError> {
    let mut subjects = vec![];
    for SubjectEntry { name, compatibility, mode, versions: entries } in manifest.subjects {
        let mut versions = vec![];
        for entry in entries {
            let key = version_key(registry, &entry.sha256);
            let version: Version = read(objects, &key, &entry.sha256).await?;
            if (&version.subject, version.version, version.id) != (&name, entry.version, entry.id) {
                let what = format!("it is not version {} of {name}", entry.version);
                return Err(SchemaError::Damaged { key, what });
            }
            versions.push(Held { version, deleted: entry.deleted });
        }
        subjects.push(Subject { name, compatibility, mode, versions });
    }
    Ok(Snapshot { compatibility: manifest.compatibility, mode: manifest.mode, subjects })
}

/// Reads every snapshot with all it names.
pub(crate) async fn verify(objects: &dyn Objects, registry: &str) -> Result<VerifyReport, SchemaError> {
    let mut report = VerifyReport { registry: registry.to_owned(), ..VerifyReport::default() };
    for key in snapshots(objects, registry).await? {
        let read = match manifest(objects, &key).await {
            Ok(manifest) => {
                let told = SnapshotReport {
                    taken_at: manifest.taken_at,
                    subjects: manifest.subjects.len(),
                    versions: manifest.versions(),
                };
                whole(objects, registry, manifest).await.map(|_| told)
            }
            Err(error) => Err(error),
        };
        match read {
            Ok(told) => report.snapshots.push(told),
            Err(SchemaError::Objects(error)) => return Err(error.into()),
            Err(error) => report.findings.push(error.to_string()),
        }
    }
    Ok(report)
}

/// Keeps which id became which, in place of what was kept before.
pub(crate) async fn put_ids(
    objects: &dyn Objects,
    registry: &str,
    map: &str,
    ids: BTreeMap<u32, u32>,
) -> Result<(), SchemaError> {
    let key = ids_key(registry, map);
    let before = control::read::<IdMap>(objects, &key).await?.map(|before| before.etag);
    control::replace(objects, &key, before, &IdMap { format_version: FORMAT_VERSION, ids }).await?;
    Ok(())
}
