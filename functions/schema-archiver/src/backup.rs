//! A registry into the storage.

use shared::schemas::snapshot::sha256;

use crate::{context::Context, error::SchemaError, pushed::Tell, read, report::BackupReport, store};

/// Takes a snapshot. Nothing is written where nothing changed, and nothing where the registry does not answer fully: a
/// snapshot is whole, or it is not there. What the last snapshot holds is not read again, unless `whole` says so.
pub(crate) async fn run(whole: bool, context: &Context, tell: Tell<'_>) -> Result<BackupReport, SchemaError> {
    let registry = context.source.as_ref().ok_or(SchemaError::NoRegistry("schema_registry"))?;
    let last = store::latest(&*context.objects, &context.name, None).await?;
    let known = last.as_ref().filter(|_| !whole);
    let (manifest, objects) = read::manifest(&**registry, known, context.clock.now(), tell).await?;
    if let Some(last) = last.as_ref().filter(|last| manifest.subjects.is_empty() && !last.subjects.is_empty()) {
        return Err(SchemaError::Emptied { taken_at: last.taken_at, subjects: last.subjects.len() });
    }
    let mut report = BackupReport {
        registry: context.name.clone(),
        taken_at: manifest.taken_at,
        subjects: manifest.subjects.len(),
        versions: manifest.versions(),
        written: 0,
        changed: false,
    };
    if let Some(last) = last.filter(|last| last.is_same(&manifest)) {
        report.taken_at = last.taken_at;
        return Ok(report);
    }
    for (sha256, body) in objects {
        report.written += usize::from(store::put_version(&*context.objects, &context.name, &sha256, body).await?);
    }
    let body = serde_json::to_vec_pretty(&manifest)?;
    let digest = sha256(&body);
    store::put_snapshot(&*context.objects, &context.name, &manifest, &digest, body.into()).await?;
    report.changed = true;
    Ok(report)
}
