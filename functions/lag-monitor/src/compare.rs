//! The storage against the store of figures: what to say again, and whether everything was heard.

use std::sync::Arc;

use shared::{
    metrics::{
        registers::{Chain, Registers},
        standing::{Ends, Standing},
    },
    record::{Millis, Offset, Partition, TopicId},
};

use crate::stored::{End, StoredChain};

/// The standings of all chains that the store knows less of than the storage, without a word about who owns them.
pub(crate) fn standings(chains: &[StoredChain], known: &Registers, now: Millis) -> Vec<Standing> {
    let behind = |chain: &&StoredChain| !Required::of(chain, known).is_met_by(known);
    let standing = |chain: &StoredChain| match &chain.end {
        End::Read(end) => Some(end.standing(&chain.identity, now)),
        End::AsKnown => None,
    };
    chains.iter().filter(behind).filter_map(standing).collect()
}

/// What the store must hold at least of a chain to agree with the storage.
#[derive(Debug, Clone)]
pub(crate) struct Required {
    topic: Arc<str>,
    topic_id: TopicId,
    chain: (u32, Partition),
    current: bool,
    /// How many losses were accepted, and the frontier: by these heads are ordered.
    head: (u32, Offset),
    start: Offset,
}

impl Required {
    /// What this chain asks for. Where the storage was found as known, that is what was known.
    pub(crate) fn of(chain: &StoredChain, known: &Registers) -> Required {
        let id = (chain.identity.incarnation, chain.identity.partition);
        let (head, start) = match &chain.end {
            End::Read(end) => ((end.frontier.marks.losses, end.frontier.next), end.floor.floor.base),
            End::AsKnown => known_ends(known, &chain.identity.topic, id).unwrap_or_default(),
        };
        let (topic, topic_id) = (chain.identity.topic.clone(), chain.identity.topic_id.clone());
        Required { topic, topic_id, chain: id, current: chain.current, head, start }
    }

    fn is_met_by(&self, registers: &Registers) -> bool {
        let claimed = registers.topics.get(&self.topic).and_then(|topic| topic.incarnations.get(&self.chain.0));
        let ends = known_ends(registers, &self.topic, self.chain);
        claimed == Some(&self.topic_id) && ends.is_some_and(|(head, start)| head >= self.head && start >= self.start)
    }

    /// Whether somebody has said, and it still holds, how the work on this chain is. Chains of earlier topics have no work.
    fn is_spoken_for(&self, registers: &Registers, now: Millis) -> bool {
        let job = chain(registers, &self.topic, self.chain).and_then(|chain| chain.job.as_ref());
        !self.current || job.is_some_and(|job| job.expires.is_none_or(|expires| now < expires))
    }
}

fn known_ends(registers: &Registers, topic: &Arc<str>, id: (u32, Partition)) -> Option<((u32, Offset), Offset)> {
    let chain = chain(registers, topic, id)?;
    let head = chain.head?;
    Some(((head.marks.losses, head.next), chain.floor?.start))
}

fn chain<'a>(registers: &'a Registers, topic: &Arc<str>, id: (u32, Partition)) -> Option<&'a Chain> {
    registers.topics.get(topic)?.chains.get(&id)
}

/// Whether everything that was found in the storage and observed in Kafka is in the store. Of a log's ends, any that were
/// observed since `since` will do: another lag-monitor may have been later.
pub(crate) fn everything_is_there(required: &[Required], ends: &[Ends], since: Millis, registers: &Registers) -> bool {
    let is_observed = |wanted: &Ends| {
        let topic = registers.topics.get(&wanted.topic);
        let known = topic.and_then(|topic| topic.ends.get(&wanted.partition));
        known.is_some_and(|known| known.topic_id == wanted.topic_id && known.observed_at >= since.min(wanted.timestamp))
    };
    registers.is_whole() && required.iter().all(|it| it.is_met_by(registers)) && ends.iter().all(is_observed)
}

/// Whether every owner has said how its work is.
pub(crate) fn everybody_spoke(required: &[Required], registers: &Registers, now: Millis) -> bool {
    required.iter().all(|it| it.is_spoken_for(registers, now))
}
