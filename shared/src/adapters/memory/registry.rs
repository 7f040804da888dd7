//! A schema registry in memory. What it refuses, and by which numbers, is what Confluent documents of its own.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;

use crate::ports::registry::{IMPORT, Place, Registry, RegistryError, Schema, Setting, Version};

/// Confluent's numbers of errors.
const NO_SUBJECT: u32 = 40_401;
const NO_VERSION: u32 = 40_402;
const ALREADY_DELETED: u32 = 40_406;
const INVALID_SCHEMA: u32 = 42_201;
const NOT_PERMITTED: u32 = 42_205;
const REFERENCED: u32 = 42_206;

/// A schema registry in memory.
#[derive(Debug)]
pub struct MemoryRegistry {
    state: Mutex<State>,
    modes_can_change: bool,
    versions_read: AtomicUsize,
    /// Whether a subject without a version has settings.
    sets_what_is_not_there: bool,
}

#[derive(Debug, Default)]
struct State {
    subjects: BTreeMap<String, BTreeMap<u32, Held>>,
    /// By subject; the empty name is all of them.
    compatibility: BTreeMap<String, String>,
    mode: BTreeMap<String, String>,
    last_id: u32,
}

#[derive(Debug, Clone)]
struct Held {
    id: u32,
    deleted: bool,
    schema: Schema,
}

impl Default for MemoryRegistry {
    fn default() -> Self {
        let of_all = |value: &str| BTreeMap::from([(String::new(), value.to_owned())]);
        let state = State { compatibility: of_all("BACKWARD"), mode: of_all("READWRITE"), ..State::default() };
        MemoryRegistry {
            state: Mutex::new(state),
            modes_can_change: true,
            versions_read: AtomicUsize::new(0),
            sets_what_is_not_there: true,
        }
    }
}

impl MemoryRegistry {
    /// A registry whose modes cannot be changed (`mode.mutability=false`).
    #[must_use]
    pub fn with_fixed_modes() -> Self {
        MemoryRegistry { modes_can_change: false, ..MemoryRegistry::default() }
    }

    /// How often a version was read.
    #[must_use]
    pub fn versions_read(&self) -> usize {
        self.versions_read.load(Ordering::Relaxed)
    }

    /// A registry that refuses settings of a subject that has no version yet, as Apicurio's does.
    #[must_use]
    pub fn with_settings_of_what_is_there() -> Self {
        MemoryRegistry { sets_what_is_not_there: false, ..MemoryRegistry::default() }
    }

    /// The schema of an id.
    #[must_use]
    pub fn schema(&self, id: u32) -> Option<Schema> {
        self.state().held().find(|(_, _, held)| held.id == id).map(|(_, _, held)| held.schema.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn held(&self) -> impl Iterator<Item = (&String, u32, &Held)> {
        self.subjects.iter().flat_map(|(subject, all)| all.iter().map(move |(version, held)| (subject, *version, held)))
    }

    fn mode_of(&self, subject: &str) -> &str {
        self.mode.get(subject).or_else(|| self.mode.get("")).map_or("READWRITE", String::as_str)
    }

    fn check_references(&self, schema: &Schema) -> Result<(), RegistryError> {
        let is_there =
            |subject: &str, version| self.subjects.get(subject).is_some_and(|all| all.contains_key(&version));
        match schema.references.iter().find(|it| !is_there(&it.subject, it.version)) {
            None => Ok(()),
            Some(missing) => {
                let reason =
                    format!("no schema reference found for subject {} version {}", missing.subject, missing.version);
                Err(refused("to register a schema", INVALID_SCHEMA, reason))
            }
        }
    }

    fn import(&mut self, subject: &str, schema: &Schema, place: Place) -> Result<u32, RegistryError> {
        let refuse = |reason: String| Err(refused("to import a schema", NOT_PERMITTED, reason));
        if self.mode_of(subject) != IMPORT {
            return refuse(format!("subject {subject} is not in import mode"));
        }
        if self.held().any(|(_, _, held)| held.id == place.id && !held.schema.is_same(schema)) {
            return refuse(format!("overwrite new schema with id {} is not permitted", place.id));
        }
        if let Some(held) = self.subjects.get(subject).and_then(|all| all.get(&place.version)) {
            return match held.id == place.id && !held.deleted {
                true => Ok(held.id),
                false => refuse(format!("version {} of subject {subject} is taken", place.version)),
            };
        }
        let held = Held { id: place.id, deleted: false, schema: schema.clone() };
        self.subjects.entry(subject.to_owned()).or_default().insert(place.version, held);
        self.last_id = self.last_id.max(place.id);
        Ok(place.id)
    }

    fn add(&mut self, subject: &str, schema: &Schema) -> Result<u32, RegistryError> {
        if self.mode_of(subject) != "READWRITE" {
            let reason = format!("subject {subject} is in {} mode", self.mode_of(subject));
            return Err(refused("to register a schema", NOT_PERMITTED, reason));
        }
        let own = self.subjects.get(subject);
        let same = own.and_then(|all| all.values().find(|held| !held.deleted && held.schema.is_same(schema)));
        if let Some(held) = same {
            return Ok(held.id);
        }
        let known = self.held().find(|(_, _, held)| held.schema.is_same(schema)).map(|(_, _, held)| held.id);
        let id = known.unwrap_or(self.last_id + 1);
        self.last_id = self.last_id.max(id);
        let all = self.subjects.entry(subject.to_owned()).or_default();
        let version = all.keys().last().map_or(1, |last| last + 1);
        all.insert(version, Held { id, deleted: false, schema: schema.clone() });
        Ok(id)
    }
}

fn refused(what: &str, code: u32, reason: String) -> RegistryError {
    RegistryError::Refused { what: what.to_owned(), code, reason }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn subjects(&self, deleted: bool) -> Result<Vec<String>, RegistryError> {
        let state = self.state();
        let shown = state.subjects.iter().filter(|(_, all)| all.values().any(|held| deleted || !held.deleted));
        Ok(shown.map(|(subject, _)| subject.clone()).collect())
    }

    async fn versions(&self, subject: &str, deleted: bool) -> Result<Vec<u32>, RegistryError> {
        let state = self.state();
        let all = state.subjects.get(subject).into_iter().flatten();
        Ok(all.filter(|(_, held)| deleted || !held.deleted).map(|(version, _)| *version).collect())
    }

    async fn version(&self, subject: &str, version: u32) -> Result<Option<Version>, RegistryError> {
        self.versions_read.fetch_add(1, Ordering::Relaxed);
        let state = self.state();
        let held = state.subjects.get(subject).and_then(|all| all.get(&version));
        let found =
            |held: &Held| Version { subject: subject.to_owned(), version, id: held.id, schema: held.schema.clone() };
        Ok(held.map(found))
    }

    async fn register(&self, subject: &str, schema: &Schema, place: Option<Place>) -> Result<u32, RegistryError> {
        let mut state = self.state();
        state.check_references(schema)?;
        match place {
            Some(place) => state.import(subject, schema, place),
            None => state.add(subject, schema),
        }
    }

    async fn delete(&self, subject: &str, version: u32) -> Result<(), RegistryError> {
        let what = "to delete a version";
        let mut state = self.state();
        let is_meant = |held: &Held| {
            !held.deleted && held.schema.references.iter().any(|it| it.subject == subject && it.version == version)
        };
        if let Some((by, ..)) = state.held().find(|(_, _, held)| is_meant(held)) {
            return Err(refused(what, REFERENCED, format!("subject {by} refers to it")));
        }
        let all = state.subjects.get_mut(subject);
        let all = all.ok_or_else(|| refused(what, NO_SUBJECT, format!("subject {subject} not found")))?;
        let held = all.get_mut(&version);
        let held = held.ok_or_else(|| refused(what, NO_VERSION, format!("version {version} not found")))?;
        if std::mem::replace(&mut held.deleted, true) {
            return Err(refused(what, ALREADY_DELETED, format!("version {version} was soft deleted already")));
        }
        Ok(())
    }

    async fn setting(&self, setting: Setting, subject: Option<&str>) -> Result<Option<String>, RegistryError> {
        let state = self.state();
        let all = if setting == Setting::Mode { &state.mode } else { &state.compatibility };
        Ok(all.get(subject.unwrap_or("")).cloned())
    }

    async fn set(
        &self,
        setting: Setting,
        subject: Option<&str>,
        value: Option<&str>,
        force: bool,
    ) -> Result<(), RegistryError> {
        let mut state = self.state();
        let name = subject.unwrap_or("");
        if setting == Setting::Mode {
            let refuse = |reason: &str| Err(refused("to change a mode", NOT_PERMITTED, reason.to_owned()));
            if !self.modes_can_change {
                return refuse("mode changes are not allowed");
            }
            let of_it = |held: &str| subject.is_none_or(|subject| subject == held);
            let is_empty = !state.held().any(|(subject, _, held)| of_it(subject) && !held.deleted);
            if value == Some(IMPORT) && state.mode_of(name) != IMPORT && !is_empty && !force {
                return refuse("cannot import since found existing subjects");
            }
        }
        if !self.sets_what_is_not_there && value.is_some() && !name.is_empty() && !state.subjects.contains_key(name) {
            return Err(refused("to change a setting", NO_SUBJECT, format!("there is no subject {name}")));
        }
        let all = if setting == Setting::Mode { &mut state.mode } else { &mut state.compatibility };
        match value {
            Some(value) => all.insert(name.to_owned(), value.to_owned()),
            None => all.remove(name),
        };
        Ok(())
    }
}
