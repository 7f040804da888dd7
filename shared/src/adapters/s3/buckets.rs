//! Other buckets of the storage's server, by the storage's credentials.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use super::S3Objects;
use crate::{
    config::StorageSettings,
    ports::objects::{Buckets, Objects, ObjectsError},
};

/// The buckets of a server; a client is made for each that is asked for.
pub struct S3Buckets {
    settings: StorageSettings,
    clients: Mutex<HashMap<String, Arc<dyn Objects>>>,
}

impl S3Buckets {
    /// Those beside the bucket of a storage.
    #[must_use]
    pub fn beside(storage: &StorageSettings) -> Self {
        S3Buckets { settings: storage.clone(), clients: Mutex::default() }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<dyn Objects>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Buckets for S3Buckets {
    async fn bucket(&self, name: &str) -> Result<Arc<dyn Objects>, ObjectsError> {
        if let Some(client) = self.known().get(name) {
            return Ok(client.clone());
        }
        let url = format!("s3://{name}").parse().map_err(|message| ObjectsError::Refused {
            operation: "open bucket",
            key: name.to_owned(),
            message,
            source: None,
        })?;
        let settings = StorageSettings { url, ..self.settings.clone() };
        let client: Arc<dyn Objects> = Arc::new(S3Objects::connect("storage", &settings).await?);
        self.known().insert(name.to_owned(), client.clone());
        Ok(client)
    }
}
