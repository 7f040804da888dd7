//! What a restore of schemas does, decided before anything is written: what stands in its way, and what is there already.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Held, Snapshot, Subject, order::in_order};
use crate::ports::registry::IMPORT;

/// What is done, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What stands in the way; with any of these nothing is done.
    pub findings: Vec<Finding>,
    /// The subjects that something is registered in.
    pub subjects: BTreeSet<String>,
    /// What is registered.
    pub steps: Vec<Step>,
    /// How many versions are there already, as they should be.
    pub there: usize,
}

/// Registers a version, and soft-deletes it where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The version.
    pub held: Held,
    /// Whether it has to be registered; else it is there and only its deletion is missing.
    pub register: bool,
}

/// Something that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The subject, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.subject {
            Some(subject) => write!(f, "{subject}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// What to do so that `target` holds what `source` does, with the same ids and versions. `force` sets subjects that hold
/// other versions to import mode.
#[must_use]
pub fn plan(source: &Snapshot, target: &Snapshot, force: bool) -> Plan {
    let mut plan = Plan { findings: missing_references(source), ..Plan::default() };
    let missing_mode = target.mode.is_none() && source.held().next().is_some();
    if missing_mode {
        let message = "the target registry knows no modes, so ids cannot be kept: restore with --map-ids, and let `restore` put the new ids into records";
        plan.findings.push(Finding { subject: None, message: message.to_owned() });
    }
    for held in in_order(source) {
        plan.add(held, target);
    }
    for name in plan.subjects.clone() {
        let finding = target.subject(&name).and_then(|subject| not_empty(subject, target, force));
        plan.findings.extend(finding);
    }
    plan
}

/// What the versions refer to and the snapshot does not hold.
#[must_use]
pub fn missing_references(source: &Snapshot) -> Vec<Finding> {
    let missing = |held: &Held| {
        let references = held.version.schema.references.clone();
        let lacks = references.into_iter().find(|it| source.version(&it.subject, it.version).is_none())?;
        let message = format!(
            "version {} refers to version {} of {}, which is not restored: restore that subject too",
            held.version.version, lacks.version, lacks.subject
        );
        Some(Finding { subject: Some(held.version.subject.clone()), message })
    };
    source.held().filter_map(missing).collect()
}

/// A registry sets a subject to import mode only while it is empty.
fn not_empty(subject: &Subject, target: &Snapshot, force: bool) -> Option<Finding> {
    let is_importing = subject.mode.as_deref().or(target.mode.as_deref()) == Some(IMPORT);
    let is_empty = subject.versions.iter().all(|held| held.deleted);
    let message = "the subject holds other versions, so the registry does not set it to import mode: say --force, or delete the subject there";
    (!is_empty && !is_importing && !force)
        .then(|| Finding { subject: Some(subject.name.clone()), message: message.to_owned() })
}

impl Plan {
    /// Whether anything stands in the way.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.findings.is_empty()
    }

    fn add(&mut self, held: &Held, target: &Snapshot) {
        let version = &held.version;
        let mut conflict = |message: String| {
            self.findings.push(Finding { subject: Some(version.subject.clone()), message });
        };
        let other = target.held().find(|it| it.version.id == version.id && !it.version.schema.is_same(&version.schema));
        if let Some(other) = other {
            conflict(format!(
                "id {} is another schema in the target, version {} of {}: restore with --map-ids, or into an empty registry",
                version.id, other.version.version, other.version.subject
            ));
            return;
        }
        match target.version(&version.subject, version.version) {
            None => self.step(held, true),
            Some(found) if found.version.id != version.id || !found.version.schema.is_same(&version.schema) => {
                conflict(format!(
                    "version {} is another schema in the target (id {}, here {}): restore with --map-ids, or delete the subject there",
                    version.version, found.version.id, version.id
                ));
            }
            Some(found) if found.deleted == held.deleted => self.there += 1,
            Some(found) if found.deleted => conflict(format!(
                "version {} is soft-deleted in the target and not in the backup: a registry takes no deleted version again; delete it there permanently",
                version.version
            )),
            Some(_) => self.step(held, false),
        }
    }

    fn step(&mut self, held: &Held, register: bool) {
        if register {
            self.subjects.insert(held.version.subject.clone());
        }
        self.steps.push(Step { held: held.clone(), register });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::registry::{Reference, Schema, Version};

    fn held(subject: &str, version: u32, id: u32, text: &str, references: &[(&str, u32)], deleted: bool) -> Held {
        let reference = |(subject, version): &(&str, u32)| Reference {
            name: format!("{subject}.{version}"),
            subject: (*subject).to_owned(),
            version: *version,
        };
        let schema = Schema {
            schema_type: "AVRO".to_owned(),
            schema: text.to_owned(),
            references: references.iter().map(reference).collect(),
            other: Default::default(),
        };
        Held { version: Version { subject: subject.to_owned(), version, id, schema }, deleted }
    }

    fn snapshot(all: Vec<Held>) -> Snapshot {
        let mut snapshot = Snapshot { mode: Some("READWRITE".to_owned()), ..Snapshot::default() };
        for held in all {
            let name = held.version.subject.clone();
            match snapshot.subjects.iter_mut().find(|subject| subject.name == name) {
                Some(subject) => subject.versions.push(held),
                None => snapshot.subjects.push(Subject { name, versions: vec![held], ..Subject::default() }),
            }
        }
        snapshot
    }

    fn names(plan: &Plan) -> Vec<(String, u32)> {
        plan.steps.iter().map(|it| (it.held.version.subject.clone(), it.held.version.version)).collect()
    }

    /// b refers to the first version of a, which is soft-deleted.
    fn with_references() -> Snapshot {
        snapshot(vec![
            held("a", 1, 1, "a1", &[], true),
            held("a", 2, 2, "a2", &[], false),
            held("b", 1, 3, "b1", &[("a", 1)], false),
        ])
    }

    #[test]
    fn references_come_first_and_else_ids_and_versions_decide() {
        let empty = snapshot(vec![]);
        let of = |name: &str, version| (name.to_owned(), version);
        assert_eq!(names(&plan(&with_references(), &empty, false)), [of("a", 1), of("a", 2), of("b", 1)]);
        // An id that is lower than that of what it refers to, as registries have it that were filled by imports.
        let odd = snapshot(vec![held("a", 1, 9, "a1", &[], false), held("b", 1, 3, "b1", &[("a", 1)], false)]);
        assert_eq!(names(&plan(&odd, &empty, false)), [of("a", 1), of("b", 1)]);
    }

    #[test]
    fn what_is_there_already_is_not_done_again_deleted_or_not() {
        let all = with_references();
        let again = plan(&all, &all, false);
        assert_eq!((again.steps.len(), again.there, again.is_refused()), (0, 3, false));
        let mut half = all.clone();
        half.subjects.pop();
        half.subjects[0].versions[0].deleted = false;
        let rest = plan(&all, &half, false);
        assert_eq!((rest.steps[0].register, rest.steps.len(), rest.is_refused()), (false, 2, false));
    }

    #[test]
    fn every_conflict_is_named_before_anything_is_done() {
        let target = snapshot(vec![held("other", 1, 3, "another", &[], false), held("a", 2, 8, "else", &[], false)]);
        let plan = plan(&with_references(), &target, false);
        let told: Vec<String> = plan.findings.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|it| it.contains("b: id 3 is another schema")), "{told:?}");
        assert!(told.iter().any(|it| it.contains("a: version 2 is another schema")), "{told:?}");
        assert!(told.iter().any(|it| it.contains("a: the subject holds other versions")), "{told:?}");
    }

    #[test]
    fn a_registry_without_modes_and_a_reference_that_is_not_there_are_told() {
        let target = Snapshot::default();
        let lacking = snapshot(vec![held("b", 1, 3, "b1", &[("a", 1)], false)]);
        let told: Vec<String> = plan(&lacking, &target, false).findings.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("b: version 1 refers to version 1 of a"), "{told:?}");
        assert!(told[1].contains("--map-ids"), "{told:?}");
    }

    #[test]
    fn a_subject_that_an_interrupted_restore_left_in_import_mode_goes_on() {
        let all = with_references();
        let mut half = all.clone();
        half.subjects[0].versions.pop();
        assert!(plan(&all, &half, false).is_refused() || half.subjects[0].versions.iter().all(|it| it.deleted));
        half.subjects[1].versions.clear();
        half.subjects[0].versions[0].deleted = true;
        half.subjects[0].mode = Some(IMPORT.to_owned());
        assert!(!plan(&all, &half, false).is_refused());
    }
}
