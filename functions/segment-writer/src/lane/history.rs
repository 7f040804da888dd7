//! Whether the log still holds what the backup ends with: before anything is added to it, the last stored record is read
//! again and compared (C7).

use shared::{
    archive::LogComparison,
    chain::{History, LastRead},
    ports::records::LogBounds,
    record::{Offset, Record},
};

use super::{Lane, Until};
use crate::{WriteError, writer::PartitionWriter};

impl Lane {
    /// Compares the last stored record with the first that came. Whether the log is known to be the same; where it is not,
    /// it is read again from the frontier on, behind the epoch of that record.
    pub(super) async fn verify(
        &mut self,
        records: &[Record],
        leader_epoch: Option<i32>,
        writer: &PartitionWriter,
    ) -> Result<bool, WriteError> {
        let (Some(last), Some(first)) = (self.unverified, records.first()) else { return Ok(true) };
        match last.compare(first, leader_epoch) {
            History::Other => Err(self.differs(writer).await),
            History::Unknown => Ok(self.ask_epoch(&last)),
            History::Same => {
                self.unverified = None;
                Ok(true)
            }
        }
    }

    /// The same where the log has nothing from the last stored record on: then it must at least not end before the frontier.
    pub(super) async fn verify_end(&mut self, end: Offset, writer: &PartitionWriter) -> Result<bool, WriteError> {
        match self.unverified {
            Some(_) if end < writer.open_chain().frontier.next => Err(self.differs(writer).await),
            Some(last) => Ok(self.ask_epoch(&last)),
            None => Ok(true),
        }
    }

    /// The last stored record is not in the log, compacted as it seems: Kafka is asked whether the log still has its epoch up to
    /// there. Whether that cannot be asked, so that nothing can be told.
    fn ask_epoch(&mut self, last: &LastRead) -> bool {
        self.unverified = None;
        if let Some(epoch) = last.leader_epoch {
            self.start_behind(last.offset.next(), Some(epoch));
        }
        last.leader_epoch.is_none()
    }

    /// Nothing tells the last stored record, and nothing is to be read: then the log must at least be as long as the backup.
    pub(super) async fn verify_length(&mut self, writer: &PartitionWriter) -> Result<(), WriteError> {
        let frontier = writer.open_chain().frontier.next;
        let Until::End { target, .. } = self.until else { return Ok(()) };
        // It may have grown since the target was taken.
        if frontier > target && self.bounds().await?.stable_end < frontier {
            return Err(self.differs(writer).await);
        }
        Ok(())
    }

    async fn check_topic(&mut self, writer: &PartitionWriter) -> Result<(), WriteError> {
        let topic = self.context.topic_now(&self.partition).await?;
        if topic.id == writer.open_chain().chain.topic_id {
            return Ok(());
        }
        Err(WriteError::TopicChanged { topic: topic.name.to_string() })
    }

    async fn bounds(&mut self) -> Result<LogBounds, WriteError> {
        let bounds = self.context.kafka.bounds(std::slice::from_ref(&self.partition)).await?;
        Ok(bounds.into_iter().next().ok_or_else(|| self.silent())??)
    }

    /// The log does not have the offset asked for: it begins behind it (a gap, once the next record tells where), or it went
    /// back. Whether the work is done.
    pub(super) async fn out_of_range(&mut self, writer: &PartitionWriter) -> Result<bool, WriteError> {
        self.check_topic(writer).await?;
        let bounds = self.bounds().await?;
        let position = writer.position();
        let asked_for = self.unverified.map_or(position, |last| last.offset);
        if bounds.start <= asked_for || bounds.high_watermark < position {
            return Err(self.differs(writer).await);
        }
        // Retention took the last stored record: nothing can be told, unless it is just that.
        match self.unverified.take() {
            Some(last) if bounds.start <= position => {
                self.start_behind(position, last.leader_epoch);
                Ok(false)
            }
            _ if self.reached(position) => Ok(true),
            _ => {
                self.start(bounds.start.max(position));
                Ok(false)
            }
        }
    }

    /// What is wrong where the log does not look like the one that was read.
    async fn differs(&mut self, writer: &PartitionWriter) -> WriteError {
        let (open, partition) = (writer.open_chain(), self.partition.clone());
        let compared = async {
            let mut comparison = LogComparison::begin(&*self.context.kafka, &*self.context.objects).await?;
            comparison.divergence(&open.chain, &open.frontier).await
        };
        let compared = compared.await;
        // What was compared may have been the log of another topic, which was created in between.
        if let Err(error) = self.check_topic(writer).await {
            return error;
        }
        match compared {
            Ok(Some(divergence)) => WriteError::LogDiverged { partition, divergence },
            Ok(None) => WriteError::LogWentBack { partition, position: writer.position() },
            Err(error) => error.into(),
        }
    }
}
