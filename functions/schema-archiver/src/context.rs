//! What the function has at hand.

use std::sync::Arc;

use shared::{
    ports::{clock::Clock, objects::Objects, registry::Registry, store::Store},
    pushing::Pushing,
    runs::{Failed, RunLog},
};

use crate::{NAME, SchemaError};

/// The function's ports and settings.
pub struct Context {
    /// The object storage.
    pub objects: Arc<dyn Objects>,
    /// The registry that is backed up.
    pub source: Option<Arc<dyn Registry>>,
    /// The registry that is restored into.
    pub target: Option<Arc<dyn Registry>>,
    /// The name under which the storage keeps the registry's schemas.
    pub name: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where progress is pushed.
    pub pushing: Option<Pushing>,
    runs: RunLog,
}

impl Context {
    /// A context; `name` is that of the registry that is backed up.
    #[must_use]
    pub fn new(
        objects: Arc<dyn Objects>,
        source: Option<Arc<dyn Registry>>,
        target: Option<Arc<dyn Registry>>,
        name: &str,
        store: Option<Arc<dyn Store>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Context { objects, source, target, name: name.to_owned(), clock, pushing: None, runs: RunLog::new(NAME, store) }
    }

    /// Notes what a backup came to, for the metrics.
    pub(crate) async fn note(&self, error: Option<&SchemaError>) {
        let failed = error.map(|error| Failed::run(error.kind(), error));
        self.runs.note(self.clock.now(), None, failed.as_slice()).await;
    }
}
