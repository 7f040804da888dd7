//! Who is told how far the copy of an object is, and where that is kept, so that another run goes on with it.

use serde::{Deserialize, Serialize};
use shared::{
    archive::control,
    replication::{Status, event, keys},
};

use crate::Context;

/// How far an upload is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub format_version: u32,
    /// The store's id of it.
    pub upload: String,
    /// Which version of the object it is of.
    pub etag: String,
    pub part_bytes: u64,
    /// The tags of the parts that arrived, in their order.
    pub parts: Vec<String>,
}

/// Whose copy it is: who is told of each part, and where it is kept how far it is.
pub(crate) struct Watch<'a> {
    pub context: &'a Context,
    pub status: &'a Status,
}

/// What fails here costs nothing but parts that are copied again, or progress that is told late.
impl Watch<'_> {
    fn key(&self) -> String {
        keys::upload(&self.status.subject.location, &self.status.operation)
    }

    pub async fn read(&self) -> Option<Upload> {
        control::read(&*self.context.objects, &self.key()).await.ok().flatten().map(|stored| stored.value)
    }

    pub async fn arrived(&self, upload: &Upload, number: u32, bytes: u64) {
        let objects = &*self.context.objects;
        let found: Result<Option<control::Stored<Upload>>, _> = control::read(objects, &self.key()).await;
        let etag = found.ok().flatten().map(|stored| stored.etag);
        if let Err(error) = control::compare_and_set(objects, &self.key(), etag, upload).await {
            tracing::debug!("how far an upload is was not kept: {error}");
        }
        let told = event::part_completed(self.status, number, bytes, self.context.clock.now());
        if let Err(error) = self.context.queue().tell(vec![told]).await {
            tracing::debug!("progress of an object was not told: {error}");
        }
    }

    pub async fn forget(&self) {
        if let Err(error) = self.context.objects.delete(&self.key()).await {
            tracing::debug!("an upload that is over is still noted: {error}");
        }
    }
}
