//! A closed segment on its way to the storage, while its lane fills the next. There is one at a time: a segment is begun to
//! be stored when the one before it is durable, so the order of the chain is the order in time.

use std::sync::Arc;

use shared::{
    record::{Millis, Offset},
    segment::EncodedSegment,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::{
    Backup, Context, WriteError, context::Work, opened::OpenChain, report::Reporter, seal::seal, unanswered::Unanswered,
};

/// A segment on its way. Dropped, it is given up, as a crash would.
pub(crate) struct Storing(AbortOnDropHandle<Stored>);

/// What became of it.
pub(crate) struct Stored {
    /// The chain as far as it is stored.
    pub open: OpenChain,
    /// How many records it holds.
    pub records: u64,
    /// The consumed position that was committed with it.
    pub position: Offset,
    /// Whether they are durable.
    pub result: Result<(), WriteError>,
    /// The segment. Where it is not known to be durable it may be nevertheless.
    pub segment: Unanswered,
}

impl Storing {
    /// Begins to store a segment at the end of the chain. `reporter` says its standing.
    pub fn begin(
        context: &Arc<Context>,
        backup: &Arc<Backup>,
        mut open: OpenChain,
        segment: EncodedSegment,
        mut reporter: Reporter,
        position: Offset,
    ) -> Self {
        let (context, backup) = (context.clone(), backup.clone());
        let held = context.memory.hold(segment.body.len() as u64);
        let store = async move {
            let _permit = context.permits.to_store().await;
            let (started, sent) = (context.clock.now(), Unanswered::of(&segment));
            let records = sent.records();
            let result = seal(&context, &backup, &mut open, segment, &mut reporter, position).await;
            drop(held);
            match &result {
                Ok(()) => count(&context, &open, started, records),
                Err(WriteError::Gone { partition }) => {
                    tracing::warn!(%partition, records, "its topic is gone, and with it the records that were read and not stored yet");
                }
                Err(_) => {}
            }
            Stored { open, records, position, result, segment: sent }
        };
        Storing(AbortOnDropHandle::new(tokio::spawn(store.in_current_span())))
    }

    /// Waits until it is stored, or cannot be. Giving up the waiting gives up nothing of it.
    pub async fn end(&mut self) -> Stored {
        match (&mut self.0).await {
            Ok(stored) => stored,
            Err(failed) => shared::blocking::go_on_after(failed),
        }
    }
}

/// Counts the time since then as work on the chain's topic.
pub(crate) fn count(context: &Context, open: &OpenChain, started: Millis, records: u64) {
    let busy_ms = u64::try_from(context.clock.now().0 - started.0).unwrap_or(0);
    context.worked(&open.chain.backup, &open.chain.topic, Work { records, busy_ms });
}
