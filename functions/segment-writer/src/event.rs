//! The Kafka event: records that somebody else chose, in batches that may come again, late, and cut otherwise.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use shared::{
    chain::planner::{EventPlan, plan_event},
    ports::records::{LogBounds, RecordsError},
    record::{
        Millis, Offset, TopicPartition,
        kafka_event::{Batch, KafkaEvent, PartialAnswer, UndecodedRecord},
    },
};

use crate::{
    Backup, Context, WriteError,
    drain::{Target, close_at, pull},
};

/// What an event brought, partition by partition.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// One entry a partition.
    pub arrived: Vec<Arrived>,
    /// Records that tell no partition to pull them from: the event must come again.
    pub lost: Vec<UndecodedRecord>,
    /// When the answer must be there, in milliseconds since 1970.
    pub deadline: Option<Millis>,
}

/// What an event brought for one partition.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The key under which the event had them: a partial answer names it.
    pub item: String,
    /// Which partition.
    pub partition: TopicPartition,
    /// The least and the greatest offset of all records, decoded or not. `None`: no record tells its offset, so that the
    /// partition is pulled to the end of its log.
    pub offsets: Option<(Offset, Offset)>,
}

impl From<KafkaEvent> for Event {
    fn from(event: KafkaEvent) -> Self {
        let arrived = |batch: Batch| Arrived { offsets: batch.offsets(), item: batch.item, partition: batch.partition };
        Event { arrived: event.batches.into_iter().map(arrived).collect(), lost: event.lost, deadline: None }
    }
}

/// What came of an event. As JSON it is what Lambda takes for an answer (`ReportBatchItemFailures`).
#[derive(Debug, Default)]
pub struct EventReport {
    /// Partitions whose records must come again.
    pub failures: Vec<ItemFailure>,
}

/// A partition whose records must come again, from an offset on.
#[derive(Debug)]
pub struct ItemFailure {
    /// The key under which the event had them.
    pub item: String,
    /// From where on; `None`: no record of it tells its offset.
    pub offset: Option<Offset>,
    /// Why.
    pub error: WriteError,
}

impl Serialize for EventReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let failures = self.failures.iter().filter_map(|failure| Some((failure.item.clone(), failure.offset?)));
        PartialAnswer::from_iter(failures).serialize(serializer)
    }
}

/// Takes an event. Its answer can send single partitions again; where it could not say so, and where nothing was taken at
/// all, it is an error, on which all of it comes again: nothing is acknowledged that is not stored.
pub(crate) async fn run(event: Event, context: &Arc<Context>) -> Result<EventReport, WriteError> {
    let close_at = close_at(context, event.deadline);
    let mut report = EventReport::default();
    let partitions: Vec<_> = event.arrived.iter().map(|arrived| arrived.partition.clone()).collect();
    let bounds = context.kafka.bounds(&partitions).await?;
    let arrived: Vec<_> = event.arrived.iter().zip(bounds).collect();
    for (arrived, _) in &arrived {
        report.refuse_unselected(context, arrived);
    }
    for backup in &context.backups {
        let selected = |(arrived, _): &&(&Arrived, _)| context.selects(backup, &arrived.partition.topic);
        let mine: Vec<_> = arrived.iter().filter(selected).cloned().collect();
        if !mine.is_empty() {
            take_all(context, backup, mine, close_at, &mut report).await?;
        }
    }
    report.fail_lost(event.lost);
    report.or_all_again(&event.arrived, context.limits.partial_answers)
}

type Bounds = Result<LogBounds, RecordsError>;

/// Takes what came for one backup.
async fn take_all(
    context: &Arc<Context>,
    backup: &Arc<Backup>,
    arrived: Vec<(&Arrived, Bounds)>,
    close_at: Option<Millis>,
    report: &mut EventReport,
) -> Result<(), WriteError> {
    let cluster_id = context.kafka.cluster_id().await?;
    shared::archive::claim_owner(&*context.objects, &backup.name, &cluster_id).await?;
    let (mut pulls, mut wanted) = (vec![], vec![]);
    for (arrived, bounds) in &arrived {
        let taken = match close_at {
            Some(at) if at <= context.clock.now() => Err(out_of_time(arrived)),
            _ => take(arrived, bounds.clone()),
        };
        match taken {
            Ok(taken) => {
                wanted.push((*arrived, taken.acknowledged_at));
                let partition = arrived.partition.clone();
                pulls.push(Target { partition, log_end: None, end: Ok(taken.pull_to), waiting: None });
            }
            Err(error) => report.fail(arrived, error),
        }
    }
    if pulls.is_empty() {
        return Ok(());
    }
    for ended in pull(context, backup, pulls, false, close_at).await?.partitions {
        let is_it = |arrived: &Arrived| {
            arrived.partition.topic == ended.topic && arrived.partition.partition.0 == ended.partition
        };
        let Some((arrived, acknowledged_at)) = wanted.iter().find(|(arrived, _)| is_it(arrived)) else { continue };
        match ended.error {
            Some(error) => report.fail(arrived, error),
            None if ended.paused => report.fail(arrived, WriteError::Paused { partition: arrived.partition.clone() }),
            None if ended.position < *acknowledged_at => {
                let (partition, position) = (arrived.partition.clone(), ended.position);
                report.fail(arrived, WriteError::Uncommitted { partition, position });
            }
            None => {}
        }
    }
    Ok(())
}

/// What is done about one partition of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    /// Up to where it is pulled.
    pull_to: Offset,
    /// The consumed position from which on the event is not sent again.
    acknowledged_at: Offset,
}

fn out_of_time(arrived: &Arrived) -> WriteError {
    let position = arrived.offsets.map_or(Offset(0), |(first, _)| first);
    WriteError::OutOfTime { partition: arrived.partition.clone(), position }
}

impl EventReport {
    fn fail(&mut self, arrived: &Arrived, error: WriteError) {
        tracing::error!(partition = %arrived.partition, error = &error as &dyn std::error::Error, "{error}");
        let offset = arrived.offsets.map(|(first, _)| first);
        self.failures.push(ItemFailure { item: arrived.item.clone(), offset, error });
    }

    /// A topic that nobody backs up is not acknowledged as if somebody did.
    fn refuse_unselected(&mut self, context: &Context, arrived: &Arrived) {
        let topic = &arrived.partition.topic;
        if !context.backups.iter().any(|backup| context.selects(backup, topic)) {
            let example = context.backups.first().map_or("main", |backup| &backup.name).to_owned();
            self.fail(arrived, WriteError::NotSelected { topic: topic.to_string(), example });
        }
    }

    fn fail_lost(&mut self, lost: Vec<UndecodedRecord>) {
        for UndecodedRecord { item, offset, fault } in lost {
            let error = WriteError::Nowhere { item: item.clone(), fault };
            tracing::error!("{error}");
            self.failures.push(ItemFailure { item, offset, error });
        }
    }

    /// The answer; an error where it would not be understood, a failure has no offset to name, or nothing was taken.
    fn or_all_again(mut self, arrived: &[Arrived], partial_answers: bool) -> Result<EventReport, WriteError> {
        let failed = |item: &str| self.failures.iter().any(|failure| failure.item == item);
        let all_again = !partial_answers || arrived.iter().all(|arrived| failed(&arrived.item));
        let unnamed = self.failures.iter().position(|failure| failure.offset.is_none());
        match unnamed.or((all_again && !self.failures.is_empty()).then_some(0)) {
            Some(index) => Err(self.failures.swap_remove(index).error),
            None => Ok(self),
        }
    }
}

/// What to pull for one partition. What an event brought is never stored as it came: it does not tell its topic's id, what
/// was left out between its records, whether they were committed, or whether the mapping converted them.
fn take(arrived: &Arrived, bounds: Bounds) -> Result<Taken, WriteError> {
    let LogBounds { stable_end, high_watermark, .. } = bounds?;
    let to_the_end = Taken { pull_to: stable_end, acknowledged_at: stable_end };
    let Some((_, last)) = arrived.offsets else { return Ok(to_the_end) };
    Ok(match plan_event(stable_end, high_watermark, last) {
        EventPlan::Pull { to } => Taken { pull_to: to, acknowledged_at: to },
        EventPlan::Uncommitted => Taken { acknowledged_at: last.next(), ..to_the_end },
        EventPlan::Foreign => {
            tracing::warn!(partition = %arrived.partition, %last, log_end = %high_watermark, "records at or above the log's end are not this log's: pulling what the log has");
            to_the_end
        }
    })
}
