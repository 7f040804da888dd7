//! `highwater verify` at work among the others: it must find nothing, whatever is written and expires meanwhile.

use std::sync::Arc;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use shared::{
    adapters::memory::faults::{Faults, FaultyObjects, Odds},
    archive::{
        self,
        pins::{Pin, Pinned},
        reading::walk::{Depth, Reader, Walked, walk},
    },
    ports::objects::Objects,
};

use super::{
    life,
    readers::{LEASE, pin_holds},
    world::World,
};

/// One process that verifies under a pin.
pub async fn process(world: &Arc<World>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let faults = life::luck(&mut rng, seed);
    let objects = FaultyObjects::new(world.objects.clone(), faults.clone());
    let depth = if rng.random_bool(0.5) { Depth::Footers } else { Depth::Records };
    life::live(&faults, verify(world, &objects, depth, &format!("verifier-{seed}"))).await;
}

async fn verify(world: &World, objects: &dyn Objects, depth: Depth, id: &str) {
    let pin = Pin { lease_ms: u64::try_from(LEASE.as_millis()).unwrap_or(0), ..Pin::new("a verifier", vec![]) };
    let Ok(pinned) = Pinned::create(objects, "main", id, pin).await else { return };
    let work = async {
        let found = findings(objects, depth).await;
        // Where the pin has ended nothing is promised.
        if pin_holds(world, id).await { found } else { None }
    };
    if let Ok(Some(found)) = pinned.during(work).await
        && !world.accidents.is_any_shaken()
    {
        world.watched.was_verified();
        world.watched.judged(id, nothing(&found));
    }
}

/// What is wrong with the backup; `None` where a call failed, as calls do, or there is none yet.
async fn findings(objects: &dyn Objects, depth: Depth) -> Option<Vec<String>> {
    let owner = archive::read_owner(objects, "main").await.ok()??;
    let Walked { chains, findings } = walk(&owner, &Reader::new(objects, depth, |_| ())).await.ok()?;
    let of_chains = chains.into_iter().flat_map(|(report, _)| report.findings);
    Some(of_chains.chain(findings).map(|finding| format!("{finding:?}")).collect())
}

fn nothing(found: &[String]) -> Result<(), String> {
    if found.is_empty() { Ok(()) } else { Err(format!("verify finds {}", found.join("; "))) }
}

/// A quiet moment: every record is read, and nothing is wrong.
pub async fn in_quiet(world: &World) -> Result<(), String> {
    let faults = Arc::new(Faults::new(world.seed, Odds::NONE, None));
    let objects = FaultyObjects::new(world.objects.clone(), faults);
    findings(&objects, Depth::Records).await.map_or(Ok(()), |found| nothing(&found))
}
