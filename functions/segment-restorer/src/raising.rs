//! Settings of a target that are raised for a run, and put back.
//!
//! What they were before is in the progress topic before anything is changed, so the next run knows it where this one is killed:
//! it puts them back too, also where it raises nothing itself. That is said with the restore's holder id, which a run that another
//! has taken over has no more: it is said before every change, so such a run changes nothing.

use std::sync::Arc;

use shared::{
    crash,
    ports::{
        records::TopicSettings,
        transactions::{Target, TransactionalProducer},
    },
    record::{Millis, TopicId},
    restore::{
        RestoreId,
        progress::{Raised, RaisedSetting, raised_record},
    },
};

use crate::{error::RestoreError, take_over};

/// The settings of one target.
pub(crate) struct Raising<'a> {
    pub(crate) kafka: &'a dyn Target,
    pub(crate) name: &'a Arc<str>,
    pub(crate) topic_id: &'a TopicId,
    pub(crate) restore: &'a RestoreId,
    pub(crate) holder: Box<dyn TransactionalProducer>,
    /// What is to be put back.
    pub(crate) raised: Raised,
    pub(crate) now: Millis,
}

impl Raising<'_> {
    /// Raises settings to these values.
    pub(crate) async fn raise(&mut self, needed: &TopicSettings) -> Result<(), RestoreError> {
        if needed.is_empty() {
            return Ok(());
        }
        self.demand_topic().await?;
        let own = self.own().await?;
        for (setting, to) in needed {
            // What an earlier run had raised is as that run found it, unless somebody has set it since.
            let is_raised = self.raised.get(setting).is_some_and(|raised| own.get(setting) == Some(&raised.to));
            if !is_raised {
                let raised = RaisedSetting { before: own.get(setting).cloned(), to: to.clone() };
                self.raised.insert(setting.clone(), raised);
            }
        }
        self.say().await?;
        crash::point("restore-raising");
        let changes: Vec<_> = needed.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))).collect();
        self.kafka.alter_topic(self.name, &changes).await?;
        tracing::info!(topic = &**self.name, settings = ?needed, "settings are raised until the run ends");
        Ok(())
    }

    /// Puts everything back but what somebody else has set meanwhile. A topic that was created again has nothing that was raised.
    pub(crate) async fn put_back(mut self) -> Result<(), RestoreError> {
        if self.raised.is_empty() {
            return Ok(());
        }
        let own = if self.is_still_there().await? { self.own().await? } else { TopicSettings::new() };
        // Said once more: that fails where another run has taken over, which has them raised and puts them back.
        self.say().await?;
        let mut changes = vec![];
        for (setting, raised) in &self.raised {
            match own.get(setting) {
                Some(value) if *value == raised.to => changes.push((setting.as_str(), raised.before.clone())),
                value => {
                    tracing::warn!(
                        topic = &**self.name,
                        setting,
                        ?value,
                        raised_to = raised.to,
                        "not put back: it was changed meanwhile"
                    );
                }
            }
        }
        if !changes.is_empty() {
            self.kafka.alter_topic(self.name, &changes).await?;
        }
        self.raised.clear();
        self.say().await
    }

    /// The topic is what records are restored into: one that was created again has settings of its own.
    async fn demand_topic(&self) -> Result<(), RestoreError> {
        match self.is_still_there().await? {
            true => Ok(()),
            false => Err(RestoreError::TargetReplaced { name: self.name.clone(), id: self.topic_id.clone() }),
        }
    }

    async fn is_still_there(&self) -> Result<bool, RestoreError> {
        let topic = self.kafka.topics(Some(std::slice::from_ref(self.name))).await?.pop();
        Ok(topic.is_some_and(|topic| topic.id == *self.topic_id))
    }

    /// The settings that the topic has of its own.
    async fn own(&self) -> Result<TopicSettings, RestoreError> {
        self.kafka.overrides(std::slice::from_ref(self.name)).await?.swap_remove(0).map_err(Into::into)
    }

    async fn say(&mut self) -> Result<(), RestoreError> {
        let record = raised_record(self.restore, &self.raised, self.now)?;
        take_over::write(&mut *self.holder, &[record]).await
    }
}
