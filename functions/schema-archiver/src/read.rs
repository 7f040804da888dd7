//! A registry as it is at a moment.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    ports::registry::{Registry, RegistryError, Setting},
    schemas::{Held, Snapshot, Subject},
};

use crate::error::SchemaError;

/// So many subjects are read at the same time.
const SUBJECTS_AT_ONCE: usize = 8;
/// How often it is read anew when something changes meanwhile.
const ATTEMPTS_MAX: u32 = 3;

/// Everything that the registry holds; of `only` where that names any.
pub(crate) async fn snapshot(registry: &dyn Registry, only: &[String]) -> Result<Snapshot, SchemaError> {
    let mut attempt = 1;
    loop {
        match once(registry, only).await {
            Err(SchemaError::Changing { .. }) if attempt < ATTEMPTS_MAX => attempt += 1,
            read => return read,
        }
    }
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
    let live: BTreeSet<u32> = registry.versions(&name, false).await?.into_iter().collect();
    let all: BTreeSet<u32> = registry.versions(&name, true).await?.into_iter().chain(live.iter().copied()).collect();
    let mut versions = vec![];
    for number in all {
        let changing = || SchemaError::Changing { subject: name.clone(), version: number };
        let version = registry.version(&name, number).await?.ok_or_else(changing)?;
        versions.push(Held { version, deleted: !live.contains(&number) });
    }
    let own = |setting| own(registry, setting, &name);
    let (compatibility, mode) = (own(Setting::Compatibility).await?, own(Setting::Mode).await?);
    Ok(Subject { name, compatibility, mode, versions })
}

async fn own(registry: &dyn Registry, setting: Setting, name: &str) -> Result<Option<String>, RegistryError> {
    registry.setting(setting, Some(name)).await
}
