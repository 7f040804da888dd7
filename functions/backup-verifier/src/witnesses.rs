//! Who else knows how far a backup went: the group's committed offsets in Kafka, and the standings in Redis.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shared::{
    archive::{
        self, ArchiveError, Owner,
        reading::holdings::{self, HeldBackup, HeldTopic},
    },
    chain::{
        ChainIdentity,
        keys::{backup_folder, chain_folder},
        verify::figures::Figures,
    },
    config::selection::TopicSelection,
    metrics::registers::{Registers, epoch},
    ports::{
        objects::Objects,
        records::{Committed, Kafka, Topic},
        store::Store,
    },
    record::{Offset, TopicId, TopicPartition},
    segment::ChainPoint,
};

use crate::{NotCompared, VerifyError};

/// Those that are configured.
#[derive(Default)]
pub(super) struct Witnesses {
    pub store: Option<Arc<dyn Store>>,
    pub kafka: Option<Arc<dyn Kafka>>,
    /// Those that are left out, though they are configured.
    pub not_compared: Vec<NotCompared>,
    /// The topics of the configured backups.
    pub configured: BTreeMap<String, TopicSelection>,
}

/// Somebody's word for how far a chain goes.
pub(super) struct Word {
    /// The folder of the chain, or of a topic of which nothing is there.
    pub folder: String,
    pub next: Offset,
    pub who: String,
}

impl Witnesses {
    /// The figures of a backup, if there is a store of figures.
    pub async fn figures(&self, backup: &str) -> Result<Option<Registers>, VerifyError> {
        let Some(store) = &self.store else { return Ok(None) };
        let backups = [Arc::from(backup)];
        let answers = store.read(&epoch::queries(&backups)).await?;
        Ok(epoch::snapshots(&backups, answers).pop().map(|snapshot| snapshot.registers))
    }

    /// Whether a backup is configured, so that its figures are kept and shown.
    pub fn is_configured(&self, backup: &str) -> bool {
        self.configured.contains_key(backup)
    }

    /// Whether a backup goes on with a topic. One that is not configured here may.
    pub fn goes_on(&self, backup: &str, topic: &str) -> bool {
        self.configured.get(backup).is_none_or(|topics| topics.selects(topic, &[]))
    }

    /// Who tells that something of a backup was stored, where the storage has nothing of it.
    pub async fn of_unknown(&self, backup: &str) -> Result<Option<&'static str>, VerifyError> {
        let figures = self.figures(backup).await?.unwrap_or_default();
        let mut chains = figures.topics.values().flat_map(|topic| topic.chains.values());
        if chains.any(|chain| chain.head.is_some_and(|head| head.next > Offset(0))) {
            return Ok(Some("redis has figures"));
        }
        let Some(kafka) = &self.kafka else { return Ok(None) };
        let words = of_missing(&**kafka, backup, &group_of(backup), &[], &kafka.topics(None).await?).await?;
        Ok(words.iter().any(|word| word.next > Offset(0)).then_some("kafka's group has committed offsets"))
    }

    /// Every word about a backup's chains.
    pub async fn words(&self, objects: &dyn Objects, backup: &HeldBackup) -> Result<Vec<Word>, VerifyError> {
        let mut words = self
            .figures(&backup.owner.backup)
            .await?
            .map_or_else(Vec::new, |figures| standings(&backup.owner, &figures));
        if let Some(kafka) = &self.kafka {
            words.extend(committed(&**kafka, objects, backup).await?);
        }
        Ok(words)
    }
}

/// The heads that the standings said.
fn standings(owner: &Owner, figures: &Registers) -> Vec<Word> {
    let of_topic = |(topic, registers): (&Arc<str>, &shared::metrics::registers::TopicRegisters)| {
        let word = |(&(incarnation, partition), chain): (&(u32, _), &shared::metrics::registers::Chain)| {
            let chain_id = ChainIdentity {
                cluster_id: owner.cluster_id.clone(),
                backup: owner.backup.clone(),
                topic: topic.clone(),
                topic_id: registers.incarnations.get(&incarnation)?.clone(),
                incarnation,
                partition,
            };
            Some(Word {
                folder: chain_folder(&chain_id),
                next: chain.head?.next,
                who: "the last standing in redis".to_owned(),
            })
        };
        registers.chains.iter().filter_map(word).collect::<Vec<_>>()
    };
    figures.topics.iter().flat_map(of_topic).collect()
}

/// The offsets that the backup's group committed, for topics that are still the ones that were backed up.
async fn committed(kafka: &dyn Kafka, objects: &dyn Objects, backup: &HeldBackup) -> Result<Vec<Word>, VerifyError> {
    let (held, unreadable) = held(objects, backup).await?;
    let live: Vec<Topic> =
        kafka.topics(None).await?.into_iter().filter(|topic| !unreadable.contains(&*topic.name)).collect();
    let is_live = |topic: &&HeldTopic| {
        live.iter().any(|Topic { name, id, .. }| **name == *topic.topic && *id == topic.claim.topic_id)
    };
    let chains: Vec<_> = held.iter().filter(is_live).flat_map(|topic| topic.chains.clone()).collect();
    let partitions: Vec<_> = chains.iter().map(ChainIdentity::topic_partition).collect();
    let group = group_of(&backup.owner.backup);
    let offsets = kafka.committed(&group, &partitions).await?;
    let who = format!("the committed offset of group {group}");
    let word = |(chain, committed): (ChainIdentity, Option<Committed>)| {
        Some(Word { folder: chain_folder(&chain), next: committed?.in_topic(&chain.topic_id)?, who: who.clone() })
    };
    let mut words: Vec<Word> = chains.into_iter().zip(offsets).filter_map(word).collect();
    words.extend(of_missing(kafka, &backup.owner.backup, &group, &held, &live).await?);
    Ok(words)
}

/// The consumer group of a backup.
pub(super) fn group_of(backup: &str) -> String {
    format!("highwater.{backup}")
}

/// The topics that the storage holds, and the names of those whose claims cannot be read, as the walk reports.
async fn held(objects: &dyn Objects, backup: &HeldBackup) -> Result<(Vec<HeldTopic>, BTreeSet<String>), VerifyError> {
    let (mut held, mut unreadable) = (vec![], BTreeSet::new());
    for name in archive::topics(objects, &backup.owner.backup).await? {
        match holdings::incarnations(objects, backup, &name).await {
            Ok(topics) => held.extend(topics),
            Err(ArchiveError::Damaged { .. }) => drop(unreadable.insert(name)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((held, unreadable))
}

/// The offsets that the group committed for partitions of which the storage has nothing at all: those of topics that were
/// never backed up under another id, since a group commits by name.
async fn of_missing(
    kafka: &dyn Kafka,
    backup: &str,
    group: &str,
    held: &[HeldTopic],
    live: &[Topic],
) -> Result<Vec<Word>, VerifyError> {
    let of = |topic: &Topic| held.iter().filter(|it| *it.topic == *topic.name).collect::<Vec<_>>();
    let mut missing = vec![];
    for topic in live {
        let incarnations = of(topic);
        if incarnations.iter().any(|it| it.claim.topic_id != topic.id) {
            continue;
        }
        let is_held =
            |partition: i32| incarnations.iter().any(|it| it.chains.iter().any(|chain| chain.partition.0 == partition));
        let partitions = topic.each_partition().filter(|it| !is_held(it.partition.0));
        missing.extend(partitions.map(|partition| (&topic.id, partition)));
    }
    let (ids, partitions): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
    let committed = kafka.committed(group, &partitions).await?;
    let word = |((id, partition), committed): ((&TopicId, TopicPartition), Option<Committed>)| {
        Some(Word {
            folder: format!("{}{}/", backup_folder(backup), partition.topic),
            next: committed?.in_topic(id)?,
            who: format!("the committed offset of group {group} for partition {}", partition.partition),
        })
    };
    Ok(ids.into_iter().zip(partitions).zip(committed).filter_map(word).collect())
}

/// What the figures say of a chain.
pub(super) fn figures_of(figures: &Registers, chain: &ChainIdentity) -> Figures {
    let topic = figures.topics.get(&chain.topic);
    let registers = topic.and_then(|topic| topic.chains.get(&(chain.incarnation, chain.partition)));
    let head = registers.and_then(|registers| registers.head);
    let floor = registers.and_then(|registers| registers.floor);
    let topic_id = topic.and_then(|topic| topic.incarnations.get(&chain.incarnation)).cloned();
    Figures {
        topic_id,
        head: head.map(|head| (head.next, ChainPoint { totals: head.totals, digest: head.digest })),
        floor: floor.map(|floor| (floor.start, floor.totals)),
    }
}
