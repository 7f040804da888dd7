//! Figures that are wrong are put right: the metrics in Redis put right by the storage, which is only read.
//!
//! It may run beside `serve`. Registers are read first and the storage after them, so that whatever was said of the storage
//! is there to be seen; a register that is lowered or replaced is so only while it still is what was read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use shared::{
    archive::{
        self, ArchiveError,
        reading::{holdings::HeldBackup, segments::READS_MAX},
    },
    chain::{ChainIdentity, Floor, verify::ChainReport},
    metrics::registers::{
        RegisterKind, Registers, names, remove,
        repair::{Difference, Held, Truth, differences},
    },
    ports::{
        objects::Objects,
        records::{Kafka, Topic},
        store::{Operation, Query, Store, Value},
    },
    record::{Millis, Offset, Partition, TopicId},
};

use crate::{
    VerifyError,
    witnesses::{Witnesses, group_of},
};

/// Somebody may move a register between the reading and the repair: then it is looked at again.
const ROUNDS_MAX: usize = 4;
/// How many registers are set in one step.
const OPERATIONS_MAX: usize = 500;

/// A register that was put right, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// Its hash in Redis.
    pub hash: String,
    /// Its field there.
    pub field: String,
    /// What was wrong with it.
    pub what: String,
    /// Why it was left as it is; absent where it was put right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_because: Option<String>,
}

/// Puts the figures of a backup right. `vouched` says for a chain whether a key vouches for its last segment.
pub(crate) async fn repair(
    objects: &dyn Objects,
    backup: &HeldBackup,
    witnesses: &Witnesses,
    chains: &[(ChainReport, Floor)],
    vouched: impl Fn(&ChainIdentity) -> bool + Sync,
) -> Result<Vec<Repair>, VerifyError> {
    let Some(store) = &witnesses.store else { return Err(VerifyError::NoFigures) };
    let kafka = witnesses.kafka.as_deref();
    let repairer = Repairer { objects, store: &**store, kafka, backup, chains, vouched: &vouched };
    let mut done: Vec<Repair> = vec![];
    for _ in 0..ROUNDS_MAX {
        let Looked { operations, repairs } = repairer.look(witnesses).await?;
        for part in operations.chunks(OPERATIONS_MAX) {
            store.apply(&[], part).await?;
        }
        let (new, left): (Vec<_>, Vec<_>) = repairs.into_iter().partition(|it| it.left_because.is_none());
        done.extend(new);
        if operations.is_empty() {
            done.extend(left);
            break;
        }
    }
    Ok(done)
}

struct Repairer<'a> {
    objects: &'a dyn Objects,
    store: &'a dyn Store,
    kafka: Option<&'a dyn Kafka>,
    backup: &'a HeldBackup,
    chains: &'a [(ChainReport, Floor)],
    vouched: &'a (dyn Fn(&ChainIdentity) -> bool + Sync),
}

/// What one look at everything asks for.
#[derive(Default)]
struct Looked {
    operations: Vec<Operation>,
    repairs: Vec<Repair>,
}

impl Looked {
    fn found(&mut self, backup: &str, difference: Difference) {
        let Difference { kind, field, what, remedy } = difference;
        let (operation, left_because) = match remedy {
            Ok(operation) => (Some(operation), None),
            Err(why) => (None, Some(why)),
        };
        self.operations.extend(operation);
        self.repairs.push(Repair { hash: kind.key(backup), field, what: what.to_owned(), left_because });
    }
}

impl Repairer<'_> {
    fn name(&self) -> &str {
        &self.backup.owner.backup
    }

    async fn look(&self, witnesses: &Witnesses) -> Result<Looked, VerifyError> {
        let mut looked = Looked::default();
        let registers = witnesses.figures(self.name()).await?.unwrap_or_default();
        let held = self.held().await?;
        self.unreadable(&registers, &mut looked);
        let topics = match self.kafka {
            Some(kafka) => Some(kafka.topics(None).await?),
            None => None,
        };
        let chains = self.chains.iter().map(|(report, _)| &report.chain);
        let known: BTreeSet<_> = chains.clone().map(place).collect();
        let mut places: Vec<ChainIdentity> = chains.cloned().collect();
        let unknown: Vec<_> = chains_in(&registers).filter(|it| !known.contains(it)).collect();
        for (topic, n, partition) in unknown {
            match self.claim(&topic, n).await? {
                Some(id) => places.push(self.identity(&topic, id, n, partition)),
                None => self.unclaimed(&registers, topics.as_deref(), (&topic, n, partition), &mut looked),
            }
        }
        let committed = self.committed(&places, topics.as_deref()).await?;
        // The futures are made before the stream: a closure in it would keep whoever spawns this from being `Send`.
        let truths: Vec<_> = places.into_iter().map(|chain| self.truth(chain, &committed)).collect();
        let mut truths = stream::iter(truths).buffered(READS_MAX);
        while let Some(truth) = truths.try_next().await? {
            for difference in truth.iter().flat_map(|truth| differences(&held, truth)) {
                looked.found(self.name(), difference);
            }
        }
        Ok(looked)
    }

    async fn held(&self) -> Result<Held, VerifyError> {
        let queries = Held::KINDS.map(|kind| Query::Registers(kind.key(self.name())));
        let answers = self.store.read(&queries).await?;
        let hash = |answer| match answer {
            Value::Registers(registers) => registers,
            Value::Text(_) => vec![],
        };
        Ok(Held { registers: Held::KINDS.into_iter().zip(answers.into_iter().map(hash)).collect() })
    }

    /// What nobody can read is taken out, as lag-monitor does; what belongs in its place is missing then.
    fn unreadable(&self, registers: &Registers, looked: &mut Looked) {
        looked.operations.extend(remove::unreadable(self.name(), registers));
        looked.repairs.extend(registers.unreadable.iter().map(|it| Repair {
            hash: it.kind.key(self.name()),
            field: it.field.clone(),
            what: "unreadable".to_owned(),
            left_because: None,
        }));
    }

    async fn claim(&self, topic: &str, n: u32) -> Result<Option<TopicId>, VerifyError> {
        let claims = archive::claims(self.objects, self.name(), topic).await?;
        Ok(claims.into_iter().find(|claim| claim.incarnation == n).map(|claim| claim.topic_id))
    }

    fn identity(&self, topic: &Arc<str>, topic_id: TopicId, incarnation: u32, partition: Partition) -> ChainIdentity {
        let (cluster_id, backup) = (self.backup.owner.cluster_id.clone(), self.name().to_owned());
        ChainIdentity { cluster_id, backup, topic: topic.clone(), topic_id, incarnation, partition }
    }

    /// Registers of a chain that nobody claimed in the storage: of no topic that is there, or of one whose backup is gone.
    fn unclaimed(
        &self,
        registers: &Registers,
        topics: Option<&[Topic]>,
        (topic, n, partition): (&Arc<str>, u32, Partition),
        looked: &mut Looked,
    ) {
        let id = registers.topics.get(topic).and_then(|topic| topic.incarnations.get(&n));
        let is_live = |topics: &[Topic]| topics.iter().any(|it| it.name == *topic && id.is_none_or(|id| *id == it.id));
        let why = match topics {
            None => {
                Some("the storage has nothing of it, and no [kafka] is configured to say whether there is such a topic")
            }
            Some(topics) if is_live(topics) => {
                Some("the storage has nothing of it, and the topic is in kafka: its backup is missing")
            }
            Some(_) => None,
        };
        let field = names::chain_field(topic, n, partition);
        let chain = [RegisterKind::Heads, RegisterKind::Floors, RegisterKind::Jobs].map(|kind| (kind, field.clone()));
        for (kind, field) in
            chain.into_iter().chain([(RegisterKind::Incarnations, names::topic_field(topic, &n.to_string()))])
        {
            let removal = Operation::Remove { key: kind.key(self.name()), fields: vec![field.clone()] };
            let remedy = why.map_or(Ok(removal), |why| Err(why.to_owned()));
            looked.found(self.name(), Difference { kind, field, what: "of no chain", remedy });
        }
    }

    /// What the group committed for chains of topics that are in Kafka with the same id.
    async fn committed(
        &self,
        chains: &[ChainIdentity],
        topics: Option<&[Topic]>,
    ) -> Result<BTreeMap<(Arc<str>, u32, Partition), Offset>, VerifyError> {
        let (Some(kafka), Some(topics)) = (self.kafka, topics) else { return Ok(BTreeMap::new()) };
        let is_live = |chain: &&ChainIdentity| {
            topics.iter().any(|topic| {
                topic.name == chain.topic && topic.id == chain.topic_id && chain.partition.0 < topic.partitions
            })
        };
        let live: Vec<_> = chains.iter().filter(is_live).collect();
        let partitions: Vec<_> = live.iter().map(|chain| chain.topic_partition()).collect();
        let offsets = kafka.committed(&group_of(self.name()), &partitions).await?;
        Ok(live
            .into_iter()
            .zip(offsets)
            .filter_map(|(chain, committed)| Some((place(chain), committed?.in_topic(&chain.topic_id)?)))
            .collect())
    }

    /// What the storage says of a chain now; nothing where its end cannot be read, which the walk reports.
    async fn truth(
        &self,
        chain: ChainIdentity,
        committed: &BTreeMap<(Arc<str>, u32, Partition), Offset>,
    ) -> Result<Option<Truth>, VerifyError> {
        match archive::chain_end(self.objects, &chain, None).await {
            Ok(end) => Ok(Some(Truth {
                standing: end.standing(&chain, Millis(0)),
                committed: committed.get(&place(&chain)).copied(),
                sealed: (self.vouched)(&chain),
            })),
            Err(ArchiveError::Damaged { .. } | ArchiveError::Foreign { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn place(chain: &ChainIdentity) -> (Arc<str>, u32, Partition) {
    (chain.topic.clone(), chain.incarnation, chain.partition)
}

/// The chains that have a head or a floor.
fn chains_in(registers: &Registers) -> impl Iterator<Item = (Arc<str>, u32, Partition)> + '_ {
    let of_topic = |(topic, of_topic): (&Arc<str>, &shared::metrics::registers::TopicRegisters)| {
        let chains = of_topic.chains.iter().filter(|(_, chain)| chain.head.is_some() || chain.floor.is_some());
        chains.map(|((n, partition), _)| (topic.clone(), *n, *partition)).collect::<Vec<_>>()
    };
    registers.topics.iter().flat_map(of_topic)
}
