//! Logs that go back behind what is stored, and are written again: a chain holds one history, and none of the records of
//! another, until a person decides. Here a person creates the topic again.

use std::{collections::BTreeSet, sync::Arc};

use rand::rngs::StdRng;
use segment_writer::WriteError;

use super::{
    world::{TOPICS, World},
    writers,
};

/// Some histories have logs that go back.
pub fn may_go_back(seed: u64) -> bool {
    seed % 5 == 1
}

/// Everybody is done: a drain names each partition whose log is not the one that is stored, and nothing else is wrong. A
/// person creates these topics again.
pub async fn settle(world: &Arc<World>, rng: &mut StdRng) -> Result<(), String> {
    if !may_go_back(world.seed) {
        return Ok(());
    }
    let mut diverged = BTreeSet::new();
    for partition in writers::drain_all(world).await?.partitions {
        match partition.error {
            None => {}
            Some(WriteError::LogDiverged { .. }) => {
                let topic = TOPICS.into_iter().find(|topic| **topic == *partition.topic);
                diverged.extend(topic);
                world.watched.diverged();
            }
            Some(error) => return Err(format!("a drain fails for a partition: {error}")),
        }
    }
    diverged.into_iter().for_each(|topic| world.recreate_topic(topic, rng));
    world.close_transactions();
    Ok(())
}
