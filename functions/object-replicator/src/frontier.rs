//! Saying how far chains are complete at a location: up to where, from the floor on, nothing is missing there.
//!
//! Comparing sees that exactly. Between two comparisons each copied segment moves it on, unless the last comparison saw that
//! something before that segment is missing.

use shared::{
    archive::{self, ChainHint, SegmentEntry},
    chain::{ChainIdentity, keys},
    metrics::{replication::frontiers::LocationFrontier, standing::Message},
    record::{Millis, Offset},
};

use crate::{Context, Location, controls::Sides};

impl Location {
    /// A segment was copied: says how far the chain is complete now. What fails here is found by comparing.
    pub(crate) async fn say_copied(
        &self,
        context: &Context,
        sides: Sides<'_>,
        chain: &ChainIdentity,
        segment: &SegmentEntry,
    ) {
        let next = match archive::read_metadata(sides.source, chain, segment).await {
            Ok(metadata) => metadata.next,
            Err(error) => return tracing::debug!("how far a location is was not told: {error}"),
        };
        {
            let mut complete = self.complete.lock().await;
            let known = complete.entry(keys::chain_folder(chain)).or_insert(next);
            if *known < segment.base {
                return;
            }
            *known = next.max(*known);
        }
        self.say_complete(context, chain, next, context.clock.now()).await;
    }

    /// A comparison that began then saw how far a chain is complete.
    pub(crate) async fn say_compared(&self, context: &Context, chain: &ChainIdentity, next: Offset, began: Millis) {
        self.complete.lock().await.insert(keys::chain_folder(chain), next);
        self.say_complete(context, chain, next, began).await;
    }

    async fn say_complete(&self, context: &Context, chain: &ChainIdentity, next: Offset, timestamp: Millis) {
        let message = Message::Location(LocationFrontier {
            timestamp,
            location: self.name.as_str().into(),
            backup: chain.backup.as_str().into(),
            topic: chain.topic.clone(),
            incarnation: chain.incarnation,
            partition: chain.partition,
            next,
        });
        if let Err(error) = context.queue().tell(vec![message.encode()]).await {
            tracing::debug!("how far a location is was not told: {error}");
        }
    }
}

/// Where a chain of the storage ends, if this listed segment is still its last one.
pub(crate) async fn end_behind(context: &Context, chain: &ChainIdentity, last: Offset) -> Option<Offset> {
    let hint = ChainHint { base: last, known: None };
    let end = archive::chain_end(&*context.objects, chain, Some(&hint)).await;
    end.ok().filter(|end| end.frontier.last_base == Some(last)).map(|end| end.frontier.next)
}
