//! One run of a restore writes, and reads before what all others had committed.
//!
//! 1. Take the restore's one holder id over: whoever had it can say nothing more in the progress topic about runs.
//! 2. Read the topic. Take the producers of the last run over, which ends them and what they had not committed. A later run may
//!    have been hidden behind an open transaction: so again, until everything up to the log's end was read.
//! 3. Say that this is the next run, and take over producers of its own number, which nobody else knows.
//! 4. Prove with the holder id that it is still this run's. If it is, nobody who came later has read before our producers
//!    were taken over, and will end them; if not, they write nothing.
//!
//! So of any runs at once the last to take the holder id wins, the others stop, and none takes a producer from a later one.

use futures::future::try_join_all;
use shared::{
    archive::Owner,
    crash,
    ports::transactions::{ProducerLimits, TransactionError, TransactionalProducer},
    record::{Record, TopicPartition},
    restore::{
        PROGRESS_TOPIC, Plan, RestoreId, Started,
        preflight::TargetTopic,
        progress::{PROGRESS_VERSION, Progress, Run, run_record, started_record},
    },
};

use crate::{context::Context, error::RestoreError, prepared::PreparedTopic, progress_log};

/// The producers of a run, and all that was committed before them.
pub(crate) struct Taken {
    /// Of the holder id: it can write while no other run has taken over.
    pub(crate) holder: Box<dyn TransactionalProducer>,
    pub(crate) producers: Vec<Box<dyn TransactionalProducer>>,
    pub(crate) progress: Progress,
}

pub(crate) struct TakeOver<'a> {
    topic: &'a PreparedTopic,
    backup: &'a Owner,
    plan: &'a Plan,
    restore: &'a RestoreId,
    target: &'a TargetTopic,
    context: &'a Context,
    limits: ProducerLimits,
}

impl<'a> TakeOver<'a> {
    pub(crate) fn new(
        topic: &'a PreparedTopic,
        backup: &'a Owner,
        plan: &'a Plan,
        restore: &'a RestoreId,
        target: &'a TargetTopic,
        context: &'a Context,
    ) -> Self {
        let batch_bytes_max = target.settings.get("max.message.bytes").and_then(|max| max.trim().parse().ok());
        TakeOver { topic, backup, plan, restore, target, context, limits: ProducerLimits { batch_bytes_max } }
    }

    pub(crate) async fn run(self) -> Result<Taken, RestoreError> {
        let mut holder = self.producer(self.restore.holder_id()).await?;
        let within = self.context.limits.open_transactions_within;
        let stalled = || RestoreError::ProgressStalled { topic: PROGRESS_TOPIC, within_s: within.as_secs() };
        let progress = tokio::time::timeout(within, self.end_others()).await.unwrap_or_else(|_| Err(stalled()))?;
        if progress.started.as_ref().is_some_and(|started| started.fixed != self.topic.fixed) {
            return Err(RestoreError::OtherPlan { name: self.topic.target_name.clone() });
        }
        let run = self.next_run(&progress);
        let now = self.context.clock.now();
        let mut records = vec![run_record(self.restore, &run, now)?];
        if progress.started.is_none() {
            records.push(started_record(self.restore, &self.started(), now)?);
        }
        write(&mut *holder, &records).await?;
        let producers = (0..run.workers).map(|number| self.producer(self.restore.worker_id(run.number, number)));
        let producers = try_join_all(producers).await?;
        write(&mut *holder, &records[..1]).await?;
        crash::point("restore-taken-over");
        Ok(Taken { holder, producers, progress })
    }

    async fn producer(&self, id: String) -> Result<Box<dyn TransactionalProducer>, TransactionError> {
        self.context.target.take_over(&id, self.limits).await
    }

    /// Ends the producers of every earlier run, and reads all that they had committed.
    async fn end_others(&self) -> Result<Progress, RestoreError> {
        let kafka = &*self.context.target;
        let (mut ended, mut end) = (None, progress_log::end(kafka).await?);
        loop {
            let mut known = progress_log::read(kafka, std::slice::from_ref(self.restore)).await?;
            let progress = known.progress.remove(self.restore).unwrap_or_default();
            match &progress.run {
                Some(run) if ended != Some(run.number) => {
                    let others =
                        (0..run.workers).map(|number| self.producer(self.restore.worker_id(run.number, number)));
                    drop(try_join_all(others).await?);
                    ended = Some(run.number);
                    end = progress_log::end(kafka).await?;
                }
                _ if known.read_to >= end => return Ok(progress),
                _ => tokio::time::sleep(progress_log::LOOK_EVERY).await,
            }
        }
    }

    fn next_run(&self, progress: &Progress) -> Run {
        let restored = u16::try_from(self.topic.restored().count()).unwrap_or(u16::MAX);
        Run {
            number: progress.run.as_ref().map_or(1, |run| run.number + 1),
            workers: self.plan.workers.min(restored).max(1),
            began_at: self.context.clock.now(),
        }
    }

    fn started(&self) -> Started {
        Started {
            format_version: PROGRESS_VERSION,
            backup: self.backup.backup.clone(),
            cluster_id: self.backup.cluster_id.clone(),
            target: self.topic.target_name.clone(),
            target_topic_id: self.target.id.clone(),
            started_at: self.context.clock.now(),
            fixed: self.topic.fixed.clone(),
        }
    }
}

/// Writes records to the progress topic in a transaction of their own.
pub(crate) async fn write(producer: &mut dyn TransactionalProducer, records: &[Record]) -> Result<(), RestoreError> {
    producer.begin().await?;
    producer.send(&TopicPartition::new(PROGRESS_TOPIC, 0), records).await?;
    producer.acknowledged().await?;
    Ok(producer.commit().await?)
}
