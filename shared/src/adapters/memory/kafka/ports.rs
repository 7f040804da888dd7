//! The ports over the cluster in memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    MemoryKafka, PublishFault,
    cluster::{TopicLog, unknown},
    fetch::{Membership, MemoryFetch},
};
use crate::{
    ports::acls::{Acl, AclAnswer, AclOperation, Acls},
    ports::records::{
        Committed, Fetch, GroupState, Groups, ListedGroup, Log, LogBounds, Message, PartitionLayout, Publisher,
        RecordsError, Topic, TopicLayout, TopicSettings,
    },
    record::{Offset, TopicPartition},
};

#[async_trait]
impl Log for MemoryKafka {
    async fn cluster_id(&self) -> Result<String, RecordsError> {
        Ok("memory".to_owned())
    }

    async fn topics(&self, names: Option<&[Arc<str>]>) -> Result<Vec<Topic>, RecordsError> {
        let cluster = self.shared.lock();
        let describe = |(name, topic): (&Arc<str>, &TopicLog)| Topic {
            name: name.clone(),
            id: topic.id.clone(),
            partitions: topic.partition_count(),
        };
        Ok(match names {
            None => cluster.topics.iter().map(describe).collect(),
            Some(names) => names.iter().filter_map(|name| cluster.topics.get_key_value(name)).map(describe).collect(),
        })
    }

    async fn bounds(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
        let cluster = self.shared.lock();
        let bounds = |p| cluster.log(p).map(|log| log.bounds()).ok_or_else(|| unknown("read log bounds", p));
        Ok(partitions.iter().map(bounds).collect())
    }

    async fn fetch(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        let mut fetch = MemoryFetch::new(self.shared.clone(), self.next_seed(), None);
        for (partition, from) in starts {
            fetch.read_from(partition.clone(), *from, None);
        }
        Ok(Box::new(fetch))
    }

    async fn peek(&self, starts: &[(TopicPartition, Offset)]) -> Result<Box<dyn Fetch>, RecordsError> {
        self.fetch(starts).await
    }

    /// One broker, number 1, has everything.
    async fn layout(&self, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError> {
        let partition = |id| PartitionLayout { id, leader: 1, replicas: vec![1], isrs: vec![1] };
        let layout = |topic: Topic| TopicLayout {
            name: topic.name.to_string(),
            partitions: (0..topic.partitions).map(partition).collect(),
        };
        Ok(self.topics(Some(topics)).await?.into_iter().map(layout).collect())
    }

    async fn overrides(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        self.settings(topics).await
    }

    async fn settings(&self, topics: &[Arc<str>]) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
        let cluster = self.shared.lock();
        let of = |name: &Arc<str>| cluster.topics.get(name).map(|topic| topic.configs.clone());
        Ok(topics.iter().map(|name| of(name).ok_or_else(|| unknown("describe topic settings", name))).collect())
    }
}

#[async_trait]
impl Groups for MemoryKafka {
    async fn join(&self, group: &str, topics: &[Arc<str>]) -> Result<Box<dyn Fetch>, RecordsError> {
        let member = self.shared.change(|cluster| {
            let member = cluster.next_number();
            cluster.groups.entry(group.to_owned()).or_default().join(member, topics);
            cluster.rebalance(group);
            member
        });
        let membership = Membership { group: group.to_owned(), member };
        Ok(Box::new(MemoryFetch::new(self.shared.clone(), self.next_seed(), Some(membership))))
    }

    async fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Option<Committed>>, RecordsError> {
        let cluster = self.shared.lock();
        let group = cluster.groups.get(group);
        Ok(partitions.iter().map(|p| group?.committed.get(p).cloned()).collect())
    }

    async fn groups(&self) -> Result<Vec<ListedGroup>, RecordsError> {
        let cluster = self.shared.lock();
        let listed = cluster.groups.iter().map(|(name, group)| {
            let state = if group.has_members() { GroupState::Active } else { GroupState::Empty };
            ListedGroup { name: name.clone(), state }
        });
        Ok(listed.collect())
    }

    async fn commit_idle(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        if self.shared.lock().groups.get(group).is_some_and(|group| group.has_members()) {
            let message = format!("group {group}: Broker: Unknown member; the group has members");
            return Err(RecordsError::Refused { operation: "commit offsets", message });
        }
        self.commit(group, offsets).await
    }

    async fn commit(&self, group: &str, offsets: &[(TopicPartition, Committed)]) -> Result<(), RecordsError> {
        let mut cluster = self.shared.lock();
        if let Some((partition, _)) = offsets.iter().find(|(p, _)| cluster.log(p).is_none()) {
            return Err(unknown("commit offsets", partition));
        }
        cluster.groups.entry(group.to_owned()).or_default().committed.extend(offsets.iter().cloned());
        Ok(())
    }
}

#[async_trait]
impl Publisher for MemoryKafka {
    async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<(), RecordsError> {
        let fault = self.shared.lock().publish_faults.get(topic).copied();
        match fault {
            None => {}
            Some(PublishFault::Denied) => {
                let message = format!("topic {topic:?}: Broker: Topic authorization failed");
                return Err(RecordsError::Refused { operation: "publish", message });
            }
            Some(PublishFault::Unavailable) => {
                let (bootstrap_servers, message) = ("memory".to_owned(), "Broker: Not enough in-sync replicas".into());
                return Err(RecordsError::Unavailable { operation: "publish", bootstrap_servers, message });
            }
            Some(PublishFault::Hangs) => std::future::pending().await,
        }
        let clock = self.clock.as_ref();
        self.shared.change(|cluster| messages.into_iter().try_for_each(|m| cluster.publish(topic, m, clock)))
    }

    async fn check_topic(&self, name: &str, _: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        let cluster = self.shared.lock();
        match configs.iter().find(|(setting, _)| cluster.refused_settings.contains(*setting)) {
            None => Ok(()),
            Some((setting, _)) => {
                let message = format!("topic {name:?}: Unknown topic config name: {setting}");
                Err(RecordsError::Refused { operation: "create topic", message })
            }
        }
    }

    async fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, String)]) -> Result<(), RecordsError> {
        self.check_topic(name, partitions, configs).await?;
        self.shared.change(|cluster| cluster.create_topic(name, partitions, configs));
        Ok(())
    }

    async fn alter_topic(&self, name: &str, changes: &[(&str, Option<String>)]) -> Result<(), RecordsError> {
        self.check_topic(name, 1, &changes.iter().map(|(it, _)| (*it, String::new())).collect::<Vec<_>>()).await?;
        let mut cluster = self.shared.lock();
        let topic = cluster.topics.get_mut(name).ok_or_else(|| unknown("change topic settings", name))?;
        for (setting, value) in changes {
            match value {
                Some(value) => drop(topic.configs.insert((*setting).to_owned(), value.clone())),
                None => drop(topic.configs.remove(*setting)),
            }
        }
        Ok(())
    }

    async fn delete_topic(&self, name: &str) -> Result<(), RecordsError> {
        self.delete(name);
        Ok(())
    }
}

#[async_trait]
impl Acls for MemoryKafka {
    async fn acls(&self) -> Result<AclAnswer, RecordsError> {
        Ok(self.shared.lock().acls.clone())
    }

    async fn allowed(&self, topic: &str) -> Result<Option<Vec<AclOperation>>, RecordsError> {
        let cluster = self.shared.lock();
        let may_write = !cluster.publish_faults.contains_key(topic);
        let write = may_write.then_some(AclOperation::Write);
        let allowed = [AclOperation::Read, AclOperation::Describe].into_iter().chain(write).collect();
        Ok(cluster.topics.contains_key(topic).then_some(allowed))
    }

    async fn add_acls(&self, acls: &[Acl]) -> Result<(), RecordsError> {
        if acls.is_empty() {
            return Ok(());
        }
        match &mut self.shared.lock().acls {
            AclAnswer::Listed(known) => {
                let new: Vec<_> = acls.iter().filter(|acl| !known.contains(acl)).cloned().collect();
                known.extend(new);
                Ok(())
            }
            other => {
                let message = format!("rules cannot be added here: {other:?}");
                Err(RecordsError::Refused { operation: "add access rules", message })
            }
        }
    }
}
