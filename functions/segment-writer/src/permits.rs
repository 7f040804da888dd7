//! Permits limit what runs at once. A thousand partitions that open or close together would otherwise open as many
//! connections and hold as many compressors.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Partitions that open their chain or make a segment durable at once: what a store takes easily, and enough to hide
/// how long each answer takes.
const AT_THE_STORE_MAX: usize = 64;
/// Row groups that are encoded at once: more than there are cores would only hold more memory.
const ENCODING_MAX: usize = 4;

/// The permits of one process.
#[derive(Debug)]
pub(crate) struct Permits {
    store: Semaphore,
    encoding: Semaphore,
}

/// Held while the work lasts. A holder of a store permit may wait for an encode permit, never the other way round.
pub(crate) type Permit<'a> = Option<SemaphorePermit<'a>>;

impl Default for Permits {
    fn default() -> Self {
        Permits { store: Semaphore::new(AT_THE_STORE_MAX), encoding: Semaphore::new(ENCODING_MAX) }
    }
}

impl Permits {
    /// Waits for a permit to use the store.
    pub async fn to_store(&self) -> Permit<'_> {
        self.store.acquire().await.ok() // never closed
    }

    /// Waits for a permit to encode.
    pub async fn to_encode(&self) -> Permit<'_> {
        self.encoding.acquire().await.ok()
    }
}
