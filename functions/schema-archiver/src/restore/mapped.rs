//! With a map of ids: the registry chooses ids and versions, and which became which is kept.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    ports::registry::{Registry, RegistryError, Schema, Setting},
    schemas::{Finding, Held, order::in_order, plan::missing_references},
};

use super::{Came, Work};
use crate::{error::SchemaError, pushed::Tell};

/// What a registry says of a subject that it does not have.
const NO_SUBJECT: u32 = 40401;

/// What is registered by now.
#[derive(Default)]
struct Mapped {
    ids: BTreeMap<u32, u32>,
    /// By subject and version in the snapshot: the version there.
    versions: BTreeMap<(String, u32), u32>,
    /// Subjects that take any schema meanwhile.
    opened: BTreeSet<String>,
}

pub(super) async fn run(work: &Work<'_>, tell: Tell<'_>) -> Result<Came, SchemaError> {
    let mut came = Came { findings: missing_references(&work.source), ..Came::default() };
    came.findings.extend(read_only(work));
    if !came.findings.is_empty() {
        return Ok(came);
    }
    if !work.input.dry_run {
        work.of_all(&mut came.notes).await?;
    }
    let (mut mapped, ordered) = (Mapped::default(), in_order(&work.source));
    for (done, held) in ordered.iter().enumerate() {
        tell(done, ordered.len());
        let schema = with_references(held, &mapped);
        let found = schema.as_ref().and_then(|schema| found(work, held, schema));
        match (found, schema) {
            (Some((id, version)), _) => {
                came.there += 1;
                mapped.note(held, id, version);
            }
            (None, Some(schema)) if !work.input.dry_run => {
                came.registered += 1;
                add(work, held, &schema, &mut mapped).await.map_err(|source| SchemaError::Partly {
                    done,
                    all: ordered.len(),
                    subject: held.version.subject.clone(),
                    version: held.version.version,
                    source,
                })?;
            }
            _ => came.registered += 1,
        }
    }
    if !work.input.dry_run {
        work.settings(Setting::Compatibility).await?;
        came.ids = Some(mapped.ids);
    }
    Ok(came)
}

fn read_only(work: &Work<'_>) -> Vec<Finding> {
    let is_read_only = |mode: &Option<String>| mode.as_ref().is_some_and(|mode| mode.starts_with("READONLY"));
    let of_subject = |name: &String| {
        let own = work.target.subject(name).map(|subject| &subject.mode).filter(|mode| mode.is_some());
        is_read_only(own.unwrap_or(&work.target.mode))
    };
    let names = work.source.subjects.iter().map(|subject| &subject.name).filter(|name| of_subject(name));
    let message = "the subject is read only in the target registry: set its mode to READWRITE".to_owned();
    names.map(|name| Finding { subject: Some(name.clone()), message: message.clone() }).collect()
}

/// The schema with the versions that its references have there; `None` in a dry run, where they have none yet.
fn with_references(held: &Held, mapped: &Mapped) -> Option<Schema> {
    let mut schema = held.version.schema.clone();
    for reference in &mut schema.references {
        reference.version = *mapped.versions.get(&(reference.subject.clone(), reference.version))?;
    }
    Some(schema)
}

/// The same schema in the same subject, deleted where it was.
fn found(work: &Work<'_>, held: &Held, schema: &Schema) -> Option<(u32, u32)> {
    let subject = work.target.subject(&held.version.subject)?;
    let is_it = |it: &&Held| it.version.schema.is_same(schema) && it.deleted == held.deleted;
    subject.versions.iter().find(is_it).map(|it| (it.version.id, it.version.version))
}

async fn add(work: &Work<'_>, held: &Held, schema: &Schema, mapped: &mut Mapped) -> Result<(), RegistryError> {
    let (registry, name) = (work.registry, &held.version.subject);
    open(registry, name, mapped).await?;
    let id = registry.register(name, schema, None).await?;
    let versions = registry.versions(name, false).await?;
    let mut version = None;
    for number in versions.into_iter().rev() {
        if registry.version(name, number).await?.is_some_and(|it| it.id == id) {
            version = Some(number);
            break;
        }
    }
    let lost = || RegistryError::Refused {
        what: format!("to find what was registered in {name}"),
        code: 0,
        reason: format!("no version has id {id}"),
    };
    let version = version.ok_or_else(lost)?;
    if held.deleted {
        registry.delete(name, version).await?;
    }
    mapped.note(held, id, version);
    Ok(())
}

/// Lets a subject take any schema: versions of long ago need not be compatible by what is set today.
async fn open(registry: &dyn Registry, name: &String, mapped: &mut Mapped) -> Result<(), RegistryError> {
    if mapped.opened.contains(name) {
        return Ok(());
    }
    match registry.set(Setting::Compatibility, Some(name), Some("NONE"), false).await {
        // Apicurio sets nothing of a subject that has no version yet. Its first version is compatible with whatever is set.
        Err(RegistryError::Refused { code: NO_SUBJECT, .. }) => Ok(()),
        set => {
            mapped.opened.insert(name.clone());
            set
        }
    }
}

impl Mapped {
    fn note(&mut self, held: &Held, id: u32, version: u32) {
        // The same schema may have several ids there: each of them reads its records.
        self.ids.entry(held.version.id).or_insert(id);
        self.versions.insert((held.version.subject.clone(), held.version.version), version);
    }
}
