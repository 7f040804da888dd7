//! Several processes at once, each of its own luck, while the world goes on.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, rngs::StdRng};

use super::{
    accidents, changes, counting, expiry, life::all_end, meter, questions, readers, verifier, world::World, writers,
};

/// How often somebody looks at the figures while processes run.
const ASKED_EVERY: Duration = Duration::from_millis(1_300);
/// Runs a few processes at once, while records keep coming, the store has its misfortunes and somebody asks.
pub async fn some(world: &Arc<World>, rng: &mut StdRng) {
    let mut running = std::mem::take(&mut *world.running());
    for _ in 0..rng.random_range(0..4) {
        running.spawn(writers::process(world.clone(), rng.random()));
    }
    for _ in 0..rng.random_range(u64::from(running.is_empty())..3) {
        running.spawn(counting::process(world.clone(), rng.random()));
    }
    for _ in 0..rng.random_range(0..3) {
        running.spawn(expiry::process(world.clone(), rng.random()));
    }
    for _ in 0..rng.random_range(0..2) {
        running.spawn(readers::process(world.clone(), rng.random()));
    }
    let verifier = rng.random_bool(0.3).then(|| verifier::process(world, rng.random()));
    let verifying = futures::future::OptionFuture::from(verifier);
    // Who has stalled by then is left behind, and wakes among others.
    let patience = Duration::from_millis(rng.random_range(4_000..30_000));
    let happening = async {
        for _ in 0..rng.random_range(0..6) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..4_000))).await;
            if accidents::may_happen(world.seed) && rng.random_bool(0.25) {
                accidents::happen(world, rng).await;
            }
            match rng.random_range(0..16) {
                0 => world.recreate(rng),
                1 => world.trim(rng),
                2..4 => meter::misfortune(world, rng).await,
                4..8 => changes::send(world, rng),
                _ => world.produce(rng),
            }
            questions::ask(world).await;
        }
    };
    tokio::select! {
        biased;
        _ = futures::future::join3(all_end(&mut running), happening, verifying) => {}
        () = asking(world, ASKED_EVERY) => {}
        () = tokio::time::sleep(patience) => {}
    }
    *world.running() = running;
}

/// Waits for everybody that is left.
pub async fn quiet(world: &Arc<World>) {
    let mut running = std::mem::take(&mut *world.running());
    tokio::select! {
        biased;
        () = all_end(&mut running) => {}
        () = asking(world, ASKED_EVERY * 8) => {}
    }
}

async fn asking(world: &Arc<World>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        questions::ask(world).await;
    }
}
