//! The Kafka event: records that somebody else chose, in batches that may come again, late, and cut otherwise.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::Serialize;
use shared::{
    chain::planner::{EventPlan, plan_event},
    ports::records::{Fetched, LogBounds},
    record::{Offset, Record, TopicPartition},
};

use crate::{
    Backup, Context, WriteError,
    drain::{Target, pull},
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
    /// The least and the greatest offset of all records, decoded or not.
    pub offsets: (Offset, Offset),
    /// Whether `records` is everything that came.
    pub whole: bool,
}

/// What came of an event.
#[derive(Debug, Default, Serialize)]
pub struct EventReport {
    /// Partitions whose records must come again.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<ItemFailure>,
}

/// A partition whose records must come again, from an offset on.
#[derive(Debug, Serialize)]
pub struct ItemFailure {
    /// The key under which the event had them.
    pub item: String,
    /// From where on.
    pub offset: Offset,
    /// Why.
    #[serde(skip)]
    pub error: WriteError,
}

pub(crate) async fn run(event: Event, context: &Arc<Context>) -> Result<EventReport, WriteError> {
    let mut report = EventReport::default();
    let partitions: Vec<_> = event.arrived.iter().map(|arrived| arrived.partition.clone()).collect();
    let bounds = context.kafka.bounds(&partitions).await?;
    let cluster_id = context.kafka.cluster_id().await?;
    let mut pulls: HashMap<String, Vec<Target>> = HashMap::new();
    for (arrived, bounds) in event.arrived.iter().zip(bounds) {
        for backup in context.backups.iter().filter(|backup| context.selects(backup, &arrived.partition.topic)) {
            shared::archive::claim_owner(&*context.objects, &backup.name, &cluster_id).await?;
            let bounds = bounds.clone();
            match take(context, backup, arrived, bounds).await {
                Ok(None) => {}
                Ok(Some(target)) => pulls.entry(backup.name.clone()).or_default().push(target),
                Err(error) => report.fail(arrived, error),
            }
        }
    }
    for backup in &context.backups {
        let Some(targets) = pulls.remove(&backup.name) else { continue };
        for ended in pull(context, backup, targets, false, None).await?.partitions {
            let partition = TopicPartition::new(ended.topic, ended.partition);
            let arrived = event.arrived.iter().find(|arrived| arrived.partition == partition);
            if let (Some(error), Some(arrived)) = (ended.error, arrived) {
                report.fail(arrived, error);
            }
        }
    }
    Ok(report)
}

impl EventReport {
    fn fail(&mut self, arrived: &Arrived, error: WriteError) {
        tracing::error!(partition = %arrived.partition, error = &error as &dyn std::error::Error, "{error}");
        self.failures.push(ItemFailure { item: arrived.item.clone(), offset: arrived.offsets.0, error });
    }
}

/// Takes one partition's records as they are, or answers what to pull instead.
async fn take(
    context: &Arc<Context>,
    backup: &Arc<Backup>,
    arrived: &Arrived,
    bounds: Result<LogBounds, shared::ports::records::RecordsError>,
) -> Result<Option<Target>, WriteError> {
    let bounds = bounds?;
    let open = match open(context, backup, &arrived.partition).await {
        Err(error) if error.remedy() == crate::error::Remedy::Reopen => return Ok(Some(target(arrived))),
        other => other?,
    };
    let (first, last) = arrived.offsets;
    let plan = match context.protections.frontier_check {
        true => plan_event(open.frontier.next, bounds.stable_end, first, last),
        false => EventPlan::Append,
    };
    match plan {
        EventPlan::Skip => Ok(None),
        EventPlan::Pull { .. } => Ok(Some(target(arrived))),
        EventPlan::Refuse => {
            tracing::warn!(partition = %arrived.partition, %first, %last, stable_end = %bounds.stable_end, "records at or above the log's stable end are not this log's, or not committed: pulling from kafka instead");
            let end = Offset(bounds.stable_end.0);
            Ok(Some(Target { partition: arrived.partition.clone(), end: Ok(end) }))
        }
        EventPlan::Append if context.protections.frontier_check && !usable(context, &open, arrived).await? => {
            Ok(Some(target(arrived)))
        }
        EventPlan::Append => {
            let mut reporter = Reporter::new(context.clock.now());
            let mut writer = PartitionWriter::new(context, backup, open);
            match append(&mut writer, &mut reporter, arrived.records.clone()).await {
                Err(error) if error.remedy() == crate::error::Remedy::Reopen => Ok(Some(target(arrived))),
                other => other.map(|()| None),
            }
        }
    }
}

async fn append(writer: &mut PartitionWriter, reporter: &mut Reporter, records: Vec<Record>) -> Result<(), WriteError> {
    writer.append(records, reporter).await?;
    writer.seal(reporter).await
}

fn target(arrived: &Arrived) -> Target {
    Target { partition: arrived.partition.clone(), end: Ok(arrived.offsets.1.next()) }
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
