//! A snapshot into a registry.

mod import;
mod mapped;

use std::collections::BTreeMap;

use shared::{
    ports::registry::{Registry, RegistryError, Setting},
    record::Millis,
    schemas::{Finding, Snapshot},
};

use crate::{
    Restore,
    context::Context,
    error::SchemaError,
    pushed::Tell,
    read,
    report::{RestoreOutcome, RestoreReport},
    store,
};

/// What a restore works with.
struct Work<'a> {
    input: &'a Restore,
    registry: &'a dyn Registry,
    /// What is restored.
    source: Snapshot,
    /// What the registry holds.
    target: Snapshot,
}

/// What one of the two ways came to.
#[derive(Default)]
struct Came {
    findings: Vec<Finding>,
    notes: Vec<String>,
    registered: usize,
    there: usize,
    ids: Option<BTreeMap<u32, u32>>,
}

/// Restores.
pub(crate) async fn run(input: &Restore, context: &Context, tell: Tell<'_>) -> Result<RestoreReport, SchemaError> {
    let registry = context.target.as_ref().ok_or(SchemaError::NoRegistry("target_schema_registry"))?;
    if let Some(bad) = input.map_ids.as_ref().filter(|name| !is_map_name(name)) {
        return Err(SchemaError::BadMapName(bad.clone()));
    }
    let (taken_at, mut source) = store::load(&*context.objects, &context.name, input.at).await?;
    if let Some(unknown) = input.subjects.iter().find(|name| source.subject(name).is_none()) {
        return Err(SchemaError::UnknownSubject(unknown.clone()));
    }
    source.subjects.retain(|subject| input.subjects.is_empty() || input.subjects.contains(&subject.name));
    let target = read::snapshot(&**registry, &[]).await?;
    let work = Work { input, registry: &**registry, source, target };
    let came = match &input.map_ids {
        None => import::run(&work, tell).await?,
        Some(map) => {
            let came = mapped::run(&work, tell).await?;
            if let Some(ids) = came.ids.as_ref().filter(|_| came.findings.is_empty() && !input.dry_run) {
                store::put_ids(&*context.objects, &context.name, map, ids.clone()).await?;
            }
            came
        }
    };
    Ok(report(input, taken_at, came))
}

fn report(input: &Restore, taken_at: Millis, came: Came) -> RestoreReport {
    let outcome = match (came.findings.is_empty(), input.dry_run) {
        (false, _) => RestoreOutcome::Refused,
        (true, true) => RestoreOutcome::Planned,
        (true, false) => RestoreOutcome::Done,
    };
    let Came { findings, notes, registered, there, ids } = came;
    RestoreReport { outcome, taken_at, findings, notes, registered, there, ids }
}

fn is_map_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

impl Work<'_> {
    /// What the snapshot says of each subject, where the registry says something else. Subjects that are not restored keep
    /// what they have.
    async fn settings(&self, setting: Setting) -> Result<(), RegistryError> {
        for subject in &self.source.subjects {
            let wanted = match setting {
                Setting::Compatibility => subject.compatibility.as_deref(),
                Setting::Mode => subject.mode.as_deref(),
            };
            let found = self.registry.setting(setting, Some(&subject.name)).await?;
            if found.as_deref() != wanted {
                self.registry.set(setting, Some(&subject.name), wanted, true).await?;
            }
        }
        Ok(())
    }

    /// What holds for all subjects is set in an empty registry only: else it would change what others rely on.
    async fn of_all(&self, notes: &mut Vec<String>) -> Result<(), RegistryError> {
        let (wanted, found) = (&self.source.compatibility, &self.target.compatibility);
        if wanted == found || wanted.is_none() {
            return Ok(());
        }
        if self.target.subjects.is_empty() && self.input.subjects.is_empty() {
            return self.registry.set(Setting::Compatibility, None, wanted.as_deref(), false).await;
        }
        let text = |level: &Option<String>| level.clone().unwrap_or_else(|| "nothing".to_owned());
        notes.push(format!(
            "the compatibility of all subjects is {} in the target and {} in the backup: it is left as it is",
            text(found),
            text(wanted)
        ));
        Ok(())
    }
}
