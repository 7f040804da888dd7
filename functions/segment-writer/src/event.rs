//! The Kafka event: records that somebody else chose, in batches that may come again, late, and cut otherwise.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, Serializer};
use shared::{
    chain::planner::{EventPlan, plan_event},
    ports::records::{Fetched, LogBounds, RecordsError},
    record::{
        Millis, Offset, Record, TopicPartition,
        kafka_event::{Batch, KafkaEvent, PartialAnswer, UndecodedRecord},
    },
};

use crate::{
    Backup, Context, WriteError,
    drain::{Target, close_at, pull},
    error::Remedy,
    open::{OpenChain, open},
    report::Reporter,
    writer::PartitionWriter,
};

/// How long the log may take to show the record that an event's first one is compared with.
const WITNESS_WAIT: Duration = Duration::from_secs(5);

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
    /// Its records that could be decoded, ascending by offset. Those that could not are pulled from Kafka instead.
    pub records: Vec<Record>,
    /// The least and the greatest offset of all records, decoded or not. `None`: no record tells its offset, so that the
    /// partition is pulled to the end of its log.
    pub offsets: Option<(Offset, Offset)>,
    /// Whether `records` is everything that came, byte for byte.
    pub whole: bool,
}

impl From<KafkaEvent> for Event {
    fn from(event: KafkaEvent) -> Self {
        let arrived = |batch: Batch| Arrived {
            offsets: batch.offsets(),
            whole: batch.is_whole(),
            item: batch.item,
            partition: batch.partition,
            records: batch.records,
        };
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
    report.or_all_again(&event.arrived)
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
    let mut pulls = vec![];
    for (arrived, bounds) in &arrived {
        let taken = match close_at {
            Some(at) if at <= context.clock.now() => Err(out_of_time(arrived)),
            _ => take(context, backup, arrived, bounds.clone()).await,
        };
        match taken {
            Ok(None) => {}
            Ok(Some(target)) => pulls.push(target),
            Err(error) => report.fail(arrived, error),
        }
    }
    if pulls.is_empty() {
        return Ok(());
    }
    for ended in pull(context, backup, pulls, false, close_at).await?.partitions {
        let partition = TopicPartition::new(ended.topic, ended.partition);
        let of = arrived.iter().find(|(arrived, _)| arrived.partition == partition);
        if let (Some(error), Some((arrived, _))) = (ended.error, of) {
            report.fail(arrived, error);
        }
    }
    Ok(())
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

    /// The answer; an error where a failure has no offset to name, or nothing of the event was taken.
    fn or_all_again(mut self, arrived: &[Arrived]) -> Result<EventReport, WriteError> {
        let failed = |item: &str| self.failures.iter().any(|failure| failure.item == item);
        let nothing_taken = arrived.iter().all(|arrived| failed(&arrived.item));
        let unnamed = self.failures.iter().position(|failure| failure.offset.is_none());
        match unnamed.or((nothing_taken && !self.failures.is_empty()).then_some(0)) {
            Some(index) => Err(self.failures.swap_remove(index).error),
            None => Ok(self),
        }
    }
}

/// Takes one partition's records as they are, or answers what to pull instead.
async fn take(
    context: &Arc<Context>,
    backup: &Arc<Backup>,
    arrived: &Arrived,
    bounds: Bounds,
) -> Result<Option<Target>, WriteError> {
    let bounds = bounds?;
    let to_the_end = Target { partition: arrived.partition.clone(), end: Ok(bounds.stable_end) };
    let Some((first, last)) = arrived.offsets else { return Ok(Some(to_the_end)) };
    let to_the_last = Target { partition: arrived.partition.clone(), end: Ok(last.next()) };
    let open = match open(context, backup, &arrived.partition).await {
        Err(error) if error.remedy() == Remedy::Reopen => return Ok(Some(to_the_last)),
        other => other?,
    };
    let plan = match context.protections.frontier_check {
        true => plan_event(open.frontier.next, bounds.stable_end, first, last),
        false => EventPlan::Append,
    };
    match plan {
        EventPlan::Skip => Ok(None),
        EventPlan::Pull { .. } => Ok(Some(to_the_last)),
        EventPlan::Refuse => {
            tracing::warn!(partition = %arrived.partition, %first, %last, stable_end = %bounds.stable_end, "records at or above the log's stable end are not this log's, or not committed: pulling from kafka instead");
            Ok(Some(to_the_end))
        }
        EventPlan::Append if context.protections.frontier_check && !usable(context, &open, arrived).await? => {
            Ok(Some(to_the_last))
        }
        EventPlan::Append => {
            let mut reporter = Reporter::new(context.clock.now());
            let mut writer = PartitionWriter::new(context, backup, open);
            match append(&mut writer, &mut reporter, arrived.records.clone()).await {
                Err(error) if error.remedy() == Remedy::Reopen => Ok(Some(to_the_last)),
                other => other.map(|()| None),
            }
        }
    }
}

async fn append(writer: &mut PartitionWriter, reporter: &mut Reporter, records: Vec<Record>) -> Result<(), WriteError> {
    writer.append(records, reporter).await?;
    writer.seal(reporter).await
}

/// Whether the records may be appended as they came: the incarnation was seen before, nothing is missing among them, and
/// they are this log's.
async fn usable(context: &Context, open: &OpenChain, arrived: &Arrived) -> Result<bool, WriteError> {
    Ok(open.frontier.last_base.is_some() && arrived.whole && witnessed(context, arrived).await?)
}

/// Whether the log has, at the event's first offset, the very record that the event begins with. An event carries no topic
/// id: one that was sent before its topic was deleted and created again may begin just at the new one's frontier.
async fn witnessed(context: &Context, arrived: &Arrived) -> Result<bool, WriteError> {
    let Some(first) = arrived.records.first() else { return Ok(false) };
    let mut fetch = context.kafka.fetch(&[(arrived.partition.clone(), first.offset)]).await?;
    let answer = fetch.next(WITNESS_WAIT).await?;
    Ok(answer
        .iter()
        .any(|fetched| matches!(fetched, Fetched::Records { records, .. } if records.first() == Some(first))))
}
