//! In import mode: every schema keeps its id and its version.

use shared::{
    ports::registry::{IMPORT, Place, RegistryError, Setting},
    schemas::{Finding, Plan, Step, plan},
};

use super::{Came, Work};
use crate::{error::SchemaError, pushed::Tell};

pub(super) async fn run(work: &Work<'_>, tell: Tell<'_>) -> Result<Came, SchemaError> {
    let plan = plan(&work.source, &work.target, work.input.force);
    let mut came = Came { registered: plan.steps.len(), there: plan.there, ..Came::default() };
    came.findings.clone_from(&plan.findings);
    if !plan.subjects.is_empty() && work.target.mode.is_some() {
        came.findings.extend(fixed_modes(work).await?);
    }
    if !came.findings.is_empty() || work.input.dry_run {
        return Ok(came);
    }
    came.findings = import_modes(work, &plan).await?;
    if !came.findings.is_empty() {
        return Ok(came);
    }
    // First: whoever goes on after an interruption finds a registry that is not empty.
    work.of_all(&mut came.notes).await?;
    for (done, step) in plan.steps.iter().enumerate() {
        tell(done, plan.steps.len());
        import(work, step).await.map_err(|source| SchemaError::Partly {
            done,
            all: plan.steps.len(),
            subject: step.held.version.subject.clone(),
            version: step.held.version.version,
            source,
        })?;
    }
    work.settings(Setting::Compatibility).await?;
    if work.target.mode.is_some() {
        work.settings(Setting::Mode).await?;
    }
    Ok(came)
}

/// Whether modes can be changed shows only when one is set: to what it is already.
async fn fixed_modes(work: &Work<'_>) -> Result<Option<Finding>, SchemaError> {
    match work.registry.set(Setting::Mode, None, work.target.mode.as_deref(), false).await {
        Ok(()) => Ok(None),
        Err(RegistryError::Refused { code, reason, .. }) => {
            let message = format!(
                "the target registry lets no mode be changed ({code}: {reason}): set mode.mutability=true there, or restore with --map-ids"
            );
            Ok(Some(Finding { subject: None, message }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Sets every subject to import mode before anything is registered; where one is refused the others get back what they had.
async fn import_modes(work: &Work<'_>, plan: &Plan) -> Result<Vec<Finding>, SchemaError> {
    let mut changed: Vec<&String> = vec![];
    for name in &plan.subjects {
        let own = work.target.subject(name).and_then(|subject| subject.mode.as_deref());
        if own == Some(IMPORT) {
            continue;
        }
        match work.registry.set(Setting::Mode, Some(name), Some(IMPORT), work.input.force).await {
            Ok(()) => changed.push(name),
            Err(RegistryError::Refused { code, reason, .. }) => {
                for name in changed {
                    let own = work.target.subject(name).and_then(|subject| subject.mode.as_deref());
                    work.registry.set(Setting::Mode, Some(name), own, true).await?;
                }
                let message = format!("the target registry does not set it to import mode ({code}: {reason})");
                return Ok(vec![Finding { subject: Some(name.clone()), message }]);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(vec![])
}

/// A version that was soft-deleted is so again before anything that refers to it is registered: later it would be refused.
async fn import(work: &Work<'_>, step: &Step) -> Result<(), RegistryError> {
    let version = &step.held.version;
    if step.register {
        let place = Place { id: version.id, version: version.version };
        work.registry.register(&version.subject, &version.schema, Some(place)).await?;
    }
    if step.held.deleted {
        work.registry.delete(&version.subject, version.version).await?;
    }
    Ok(())
}
