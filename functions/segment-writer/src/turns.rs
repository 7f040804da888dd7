//! Who may go next. A thousand partitions that are opened, or closed, at once would open as many connections and hold as
//! many compressors; so they take turns.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Partitions that open their chain or make a segment durable at once: what a store takes easily, and enough to hide
/// how long each answer takes.
const AT_THE_STORE_MAX: usize = 64;
/// Row groups that are encoded at once: more than there are cores would only hold more memory.
const ENCODING_MAX: usize = 4;

/// The turns of one process.
#[derive(Debug)]
pub(crate) struct Turns {
    store: Semaphore,
    encoding: Semaphore,
}

/// Held as long as the turn lasts. Who holds one for the store may wait for one to encode, never the other way round.
pub(crate) type Turn<'a> = Option<SemaphorePermit<'a>>;

impl Default for Turns {
    fn default() -> Self {
        Turns { store: Semaphore::new(AT_THE_STORE_MAX), encoding: Semaphore::new(ENCODING_MAX) }
    }
}

impl Turns {
    /// A turn at the store.
    pub async fn at_the_store(&self) -> Turn<'_> {
        self.store.acquire().await.ok() // never closed
    }

    /// A turn to encode.
    pub async fn to_encode(&self) -> Turn<'_> {
        self.encoding.acquire().await.ok()
    }
}
