//! Settings of a target that are raised for a run, and put back.
//!
//! What they were before is in the progress topic before anything is changed, so the next run knows it where this one is killed:
//! it puts them back too, also where it raises nothing itself.

use std::sync::Arc;

use shared::{
    crash,
    ports::{records::Message, records::TopicSettings, transactions::Target},
    record::Partition,
    restore::{
        PROGRESS_TOPIC, RestoreId,
        progress::{Before, raised_key},
    },
};

use crate::error::RestoreError;

/// Settings that are to be put back.
pub(crate) struct Raised<'a> {
    target: &'a dyn Target,
    name: Arc<str>,
    restore: RestoreId,
    before: Before,
}

impl<'a> Raised<'a> {
    /// Raises settings; `known` is what an earlier run had raised and not put back.
    pub(crate) async fn raise(
        target: &'a dyn Target,
        name: &Arc<str>,
        restore: &RestoreId,
        known: Option<Before>,
        needed: &TopicSettings,
    ) -> Result<Self, RestoreError> {
        let mut before = known.unwrap_or_default();
        if !needed.is_empty() {
            let own = target.overrides(std::slice::from_ref(name)).await?.swap_remove(0)?;
            for setting in needed.keys() {
                before.entry(setting.clone()).or_insert_with(|| own.get(setting).cloned());
            }
        }
        let raised = Raised { target, name: name.clone(), restore: restore.clone(), before };
        if !needed.is_empty() {
            raised.note(Some(&raised.before)).await?;
            crash::point("restore-raising");
            let changes: Vec<_> = needed.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))).collect();
            target.alter_topic(name, &changes).await?;
            tracing::info!(topic = &**name, settings = ?needed, "settings are raised until the run ends");
        }
        Ok(raised)
    }

    /// Puts everything back.
    pub(crate) async fn put_back(self) -> Result<(), RestoreError> {
        if self.before.is_empty() {
            return Ok(());
        }
        let changes: Vec<_> = self.before.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.target.alter_topic(&self.name, &changes).await?;
        self.note(None).await
    }

    async fn note(&self, before: Option<&Before>) -> Result<(), RestoreError> {
        let value = before.map(serde_json::to_vec).transpose()?.map(Into::into);
        let key = Some(raised_key(&self.restore)?);
        let message = Message { partition: Some(Partition(0)), key, value, headers: vec![] };
        Ok(self.target.publish(PROGRESS_TOPIC, vec![message]).await?)
    }
}
