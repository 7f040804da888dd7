//! A registry as it is at a moment.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    ports::registry::{Registry, RegistryError, Setting, Version},
    record::Millis,
    schemas::{
        Held, Manifest, Snapshot, Subject,
        snapshot::{SubjectEntry, VersionEntry, stored},
    },
    segment::metadata::FORMAT_VERSION,
};

use crate::{error::SchemaError, pushed::Tell};

/// So many subjects are read at the same time.
const SUBJECTS_AT_ONCE: usize = 8;
/// How often it is read anew when something changes meanwhile.
const ATTEMPTS_MAX: u32 = 3;

/// Everything that the registry holds; of `only` where that names any.
pub(crate) async fn snapshot(registry: &dyn Registry, only: &[String]) -> Result<Snapshot, SchemaError> {
    unchanged(|| once(registry, only)).await
}

/// Reads again where something changed meanwhile.
async fn unchanged<T, F>(read: impl Fn() -> F) -> Result<T, SchemaError>
where
    F: Future<Output = Result<T, SchemaError>>,
{
    let mut attempt = 1;
    loop {
        match read().await {
            Err(SchemaError::Changing { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
            read => return read,
        }
    }
}

/// Versions by the SHA-256 of their bytes.
pub(crate) type Objects = Vec<(String, Bytes)>;

/// Everything that the registry holds, as it is stored: the manifest, and the versions that were read. A version never changes, so
/// those that `last` names are not read, but for the first and the last of each subject: where one of these is another than it
/// was, the subject was deleted for good and made anew, and is read whole.
pub(crate) async fn manifest(
    registry: &dyn Registry,
    last: Option<&Manifest>,
    now: Millis,
    tell: Tell<'_>,
) -> Result<(Manifest, Objects), SchemaError> {
    unchanged(|| manifest_once(registry, last, now, tell)).await
}

async fn manifest_once(
    registry: &dyn Registry,
    last: Option<&Manifest>,
    now: Millis,
    tell: Tell<'_>,
) -> Result<(Manifest, Objects), SchemaError> {
    let known: BTreeMap<&str, &SubjectEntry> =
        last.iter().flat_map(|last| &last.subjects).map(|subject| (subject.name.as_str(), subject)).collect();
    let mut names = registry.subjects(true).await?;
    names.sort();
    let reads: Vec<_> =
        names.iter().map(|name| subject_entry(registry, name, known.get(name.as_str()).copied())).collect();
    let mut done = 0..;
    let told =
        stream::iter(reads).buffered(SUBJECTS_AT_ONCE).inspect_ok(|_| tell(done.next().unwrap_or(0), names.len()));
    let read: Vec<_> = told.try_collect().await?;
    let (mut subjects, mut objects) = (vec![], vec![]);
    // One whose versions went while it was read is not there.
    for (subject, read) in read.into_iter().filter(|(subject, _)| !subject.versions.is_empty()) {
        subjects.push(subject);
        objects.extend(read);
    }
    let compatibility = registry.setting(Setting::Compatibility, None).await?;
    let mode = registry.setting(Setting::Mode, None).await?;
    Ok((Manifest { format_version: FORMAT_VERSION, taken_at: now, compatibility, mode, subjects }, objects))
}

async fn subject_entry(
    registry: &dyn Registry,
    name: &str,
    last: Option<&SubjectEntry>,
) -> Result<(SubjectEntry, Objects), SchemaError> {
    let Numbers { live, all } = numbers(registry, name).await?;
    let versions = last.iter().flat_map(|last| &last.versions);
    let mut known: BTreeMap<u32, VersionEntry> = versions
        .filter(|entry| all.contains(&entry.version))
        .map(|entry| (entry.version, VersionEntry { deleted: !live.contains(&entry.version), ..entry.clone() }))
        .collect();
    let ends: BTreeSet<u32> = known.keys().next().into_iter().chain(known.keys().next_back()).copied().collect();
    let (mut read, mut objects) = (BTreeMap::new(), vec![]);
    for number in ends {
        let (entry, body) = stored(&version(registry, name, number).await?, !live.contains(&number))?;
        if known.get(&number) != Some(&entry) {
            known.clear();
        }
        objects.push((entry.sha256.clone(), body));
        read.insert(number, entry);
    }
    for number in all {
        if !read.contains_key(&number) && !known.contains_key(&number) {
            let (entry, body) = stored(&version(registry, name, number).await?, !live.contains(&number))?;
            objects.push((entry.sha256.clone(), body));
            read.insert(number, entry);
        }
    }
    known.extend(read);
    let (compatibility, mode) =
        (own(registry, Setting::Compatibility, name).await?, own(registry, Setting::Mode, name).await?);
    Ok((SubjectEntry { name: name.to_owned(), compatibility, mode, versions: known.into_values().collect() }, objects))
}

async fn once(registry: &dyn Registry, only: &[String]) -> Result<Snapshot, SchemaError> {
    let mut names = registry.subjects(true).await?;
    names.retain(|name| only.is_empty() || only.contains(name));
    names.sort();
    let reads: Vec<_> = names.into_iter().map(|name| subject(registry, name)).collect();
    let subjects: Vec<Subject> = stream::iter(reads).buffered(SUBJECTS_AT_ONCE).try_collect().await?;
    Ok(Snapshot {
        compatibility: registry.setting(Setting::Compatibility, None).await?,
        mode: registry.setting(Setting::Mode, None).await?,
        // One whose versions went while it was read is not there.
        subjects: subjects.into_iter().filter(|subject| !subject.versions.is_empty()).collect(),
    })
}

async fn subject(registry: &dyn Registry, name: String) -> Result<Subject, SchemaError> {
    let Numbers { live, all } = numbers(registry, &name).await?;
    let mut versions = vec![];
    for number in all {
        versions.push(Held { version: version(registry, &name, number).await?, deleted: !live.contains(&number) });
    }
    let own = |setting| own(registry, setting, &name);
    let (compatibility, mode) = (own(Setting::Compatibility).await?, own(Setting::Mode).await?);
    Ok(Subject { name, compatibility, mode, versions })
}

/// The numbers of a subject's versions.
struct Numbers {
    /// Without those that are soft-deleted.
    live: BTreeSet<u32>,
    all: BTreeSet<u32>,
}

async fn numbers(registry: &dyn Registry, name: &str) -> Result<Numbers, RegistryError> {
    let live: BTreeSet<u32> = registry.versions(name, false).await?.into_iter().collect();
    let all = registry.versions(name, true).await?.into_iter().chain(live.iter().copied()).collect();
    Ok(Numbers { live, all })
}

async fn version(registry: &dyn Registry, subject: &str, number: u32) -> Result<Version, SchemaError> {
    let changing = || SchemaError::Changing { subject: subject.to_owned(), version: number };
    registry.version(subject, number).await?.ok_or_else(changing)
}

async fn own(registry: &dyn Registry, setting: Setting, name: &str) -> Result<Option<String>, RegistryError> {
    registry.setting(setting, Some(name)).await
}
