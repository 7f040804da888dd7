//! What the function has at hand.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use shared::{
    archive::ArchiveError,
    chain::SealRule,
    config::Settings,
    function::with_sources,
    ports::{clock::Clock, objects::Objects, records::Kafka, store::Store},
    runs::RunLog,
};

use crate::{NAME, NotCompared, VerifyError, Witness, witnesses::Witnesses};

/// The function's ports and settings.
pub struct Context {
    /// The storage.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The name of the pins of this process, which no other run of it has.
    pub reader: String,
    /// Is told how far a run is.
    pub progress: Arc<dyn Progress>,
    pub(crate) witnesses: Witnesses,
    /// What seals are checked by, by backup.
    pub(crate) seals: BTreeMap<String, SealRule>,
    /// What is told of the runs.
    pub(crate) runs: RunLog,
}

/// Is told how far a run is.
pub trait Progress: Send + Sync {
    /// A backup is begun; `bytes`: so many bytes of segments are to be read, where every record is.
    fn begin(&self, _backup: &str, _bytes: Option<u64>) {}
    /// A segment was read, and so many bytes of it.
    fn read(&self, _bytes: u64) {}
    /// A backup is done.
    fn end(&self) {}
}

/// Nobody is told.
pub(crate) struct Nobody;

impl Progress for Nobody {}

impl Context {
    /// A context by the settings, where there are any. Kafka and the store of figures are asked where they are there.
    #[must_use]
    pub fn new(
        settings: Option<&Settings>,
        objects: Arc<dyn Objects>,
        kafka: Option<Arc<dyn Kafka>>,
        store: Option<Arc<dyn Store>>,
        clock: Arc<dyn Clock>,
        instance: &str,
    ) -> Self {
        let backups = || settings.into_iter().flat_map(|settings| &settings.backups);
        let configured = backups().map(|(name, backup)| (name.to_string(), backup.topics.clone())).collect();
        let seals = backups().filter_map(|(name, backup)| Some((name.to_string(), backup.integrity.rule()?))).collect();
        let runs = RunLog::new(NAME, store.clone());
        let (witnesses, reader) =
            (Witnesses { store, kafka, configured, not_compared: vec![] }, format!("verify-{instance}"));
        Context { objects, clock, reader, progress: Arc::new(Nobody), witnesses, seals, runs }
    }

    /// Goes on without a witness that is configured, which the answer says.
    pub fn without(&mut self, witness: Witness, error: &dyn Error) {
        match witness {
            Witness::Kafka => self.witnesses.kafka = None,
            Witness::Redis => self.witnesses.store = None,
        }
        self.witnesses.not_compared.push(NotCompared { witness, because: with_sources(error) });
    }

    /// Goes on without the witness that a run failed by; whether it was one.
    pub fn leave_out(&mut self, error: &VerifyError) -> bool {
        let (witness, is_asked) = match error {
            VerifyError::Records(_) | VerifyError::Archive(ArchiveError::Log(_)) => {
                (Witness::Kafka, self.witnesses.kafka.is_some())
            }
            VerifyError::Store(_) => (Witness::Redis, self.witnesses.store.is_some()),
            _ => return false,
        };
        if is_asked {
            self.without(witness, error);
        }
        is_asked
    }
}
