//! A lane whose topic is paused.

use shared::record::Millis;

use super::{Command, Lane, Until};
use crate::{WriteError, report::Reporter, writer::PartitionWriter};

impl Lane {
    /// Since when the topic is paused, as it was last read.
    pub(super) fn paused_since(&mut self) -> Option<Millis> {
        self.pauses.borrow_and_update().since(&self.partition.topic)
    }

    /// Closes the segment, fetches nothing any more, and says so until the pause is over: then the work begins anew, as much may
    /// have happened meanwhile. A drain does not wait for that.
    pub(super) async fn pause(
        &mut self,
        since: Millis,
        writer: &mut PartitionWriter,
        reporter: &mut Reporter,
    ) -> Result<(), WriteError> {
        tracing::info!(partition = %self.partition, "paused");
        let _ = self.commands.send(Command::Stop { lane: self.id, partition: self.partition.clone() });
        writer.seal(reporter).await?;
        self.size.set(0);
        reporter.pause(since);
        self.summary.paused = true;
        let stop = self.stop.clone();
        let mut refresh = tokio::time::interval(self.context.limits.refresh);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = refresh.tick() => {
                    reporter.standing(&self.context, writer.open_chain(), writer.position());
                    if self.until != Until::Stopped {
                        return Ok(());
                    }
                }
                Ok(()) = self.pauses.changed() => if self.paused_since().is_none() {
                    self.summary.paused = false;
                    return Err(WriteError::Resumed { partition: self.partition.clone() });
                },
                // What was still under way is read again.
                feed = self.feed.recv() => if feed.is_none() {
                    return Err(WriteError::Abandoned(self.partition.clone()));
                },
            }
        }
    }
}
