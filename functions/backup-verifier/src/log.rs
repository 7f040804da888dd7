//! The backup against the logs that it is the backup of.

use std::collections::HashSet;

use shared::{
    archive::{self, ArchiveError, LogComparison},
    chain::{
        ChainIdentity, keys,
        verify::{Finding, FindingKind},
    },
    ports::{objects::Objects, records::Kafka},
    record::TopicPartition,
};

use crate::VerifyError;

/// The chains whose logs do not hold what they end with, of topics that are still the ones that were backed up.
pub(crate) async fn diverged(
    kafka: &dyn Kafka,
    objects: &dyn Objects,
    chains: impl Iterator<Item = &ChainIdentity>,
) -> Result<Vec<Finding>, VerifyError> {
    let topics = kafka.topics(None).await?;
    let live: HashSet<_> =
        topics.iter().flat_map(|topic| topic.each_partition().map(move |it| (it, topic.id.clone()))).collect();
    let mut comparison = LogComparison::begin(kafka, objects).await?;
    let mut findings = vec![];
    for chain in chains {
        let partition: TopicPartition = chain.topic_partition();
        if !live.contains(&(partition.clone(), chain.topic_id.clone())) {
            continue;
        }
        let end = match archive::chain_end(objects, chain, None).await {
            Ok(end) => end,
            // That was found already.
            Err(ArchiveError::Damaged { .. } | ArchiveError::Foreign { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let divergence = comparison.divergence(chain, &end.frontier).await?;
        // What was compared may have been the log of another topic, which was created in between.
        if let Some(it) = divergence
            && is_still_there(kafka, chain).await?
        {
            let detail = format!(
                "kafka's log of {partition}, which ends at {}, does not hold what the backup has from {} to {}",
                it.log_end,
                it.from,
                it.to.0 - 1
            );
            let finding = Finding::of_object(FindingKind::LogDiverged, keys::chain_folder(chain), detail);
            findings.push(finding.with_range(it.from, it.to));
        }
    }
    Ok(findings)
}

async fn is_still_there(kafka: &dyn Kafka, chain: &ChainIdentity) -> Result<bool, VerifyError> {
    let topics = kafka.topics(Some(std::slice::from_ref(&chain.topic))).await?;
    Ok(topics.iter().any(|topic| topic.id == chain.topic_id))
}
