//! `highwater drill`: segment-restorer in this process, restoring into a scratch topic that is compared and removed.

use std::sync::Arc;

use segment_restorer::{Drill, DrillReport, PartitionDrill, TopicDrill, drill::drill};
use shared::adapters::connect;

use super::restoring::{context, with_progress};
use crate::{
    cli::DrillArgs,
    failure::{Failure, Verdict},
    output::{self, Report, table},
    storage,
};

pub(super) async fn run(config: Option<&str>, args: DrillArgs) -> Result<Verdict, Failure> {
    let storage = storage::open(config, &args.storage).await?;
    let (mut context, settings) = context(config, &storage).await?;
    // That the result cannot be kept is no reason not to drill.
    context.store = if settings.redis.is_some() { Some(connect::redis_at_need(&settings)?) } else { None };
    let input = Drill { backup: args.storage.backup, topics: args.topic, sample: args.sample, unless_within_ms: None };
    let report = with_progress("drill", &context.meter, drill(&input, None, &context)).await?;
    output::print(&Drilled(&report), args.output.json)?;
    Ok(if report.good && report.left_behind.is_empty() { Verdict::Good } else { Verdict::Wrong })
}

#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct Drilled<'a>(pub(super) &'a DrillReport);

impl Report for Drilled<'_> {
    const SCHEMA: &'static str = "highwater.drill.v1";

    fn text(&self) -> String {
        let report = self.0;
        let removed = |name: &Arc<str>| format!("removed    {name}, which a drill that was killed had left\n");
        let removed: String = report.leftovers_removed.iter().map(removed).collect();
        let rows: Vec<_> =
            report.topics.iter().flat_map(|topic| topic.partitions.iter().map(|it| row(topic, it))).collect();
        let heads = ["TOPIC", "N", "PARTITION", "FROM", "TO", "SEGMENTS", "RECORDS", "BYTES", ""];
        let error = |topic: &TopicDrill| Some(format!("wrong      {}: {}\n", topic.topic, topic.error.as_ref()?));
        let errors: String = report.topics.iter().filter_map(error).collect();
        let left = |left: &String| format!("left       {left}: delete that topic, or let the next drill do it\n");
        let left: String = report.left_behind.iter().map(left).collect();
        format!("{removed}{}{errors}{left}{}", table::layout(heads, &rows), verdict(report))
    }
}

fn row(topic: &TopicDrill, it: &PartitionDrill) -> [String; 9] {
    [
        topic.topic.to_string(),
        topic.incarnation.to_string(),
        it.partition.to_string(),
        it.from.to_string(),
        it.to.to_string(),
        format!("{} of {}", it.segments, it.segments_total),
        it.records.to_string(),
        it.record_bytes.to_string(),
        if it.difference.is_none() { "same" } else { "different" }.to_owned(),
    ]
}

/// What is proven, and what is not.
fn verdict(report: &DrillReport) -> String {
    let partitions: usize = report.topics.iter().map(|topic| topic.partitions.len()).sum();
    let of: usize = report.topics.iter().map(|topic| topic.partitions_total).sum();
    let what = format!(
        "{} records of {partitions} of {of} partitions in {} of {} topics came back as they were stored, in {:.1} s",
        report.records(),
        report.topics.len(),
        report.topics_total,
        report.seconds,
    );
    match (report.good, report.sample) {
        (true, false) => format!("good: {what}\n"),
        (true, true) => format!("good, as far as the sample goes: {what}. Nothing is proven of the rest\n"),
        (false, _) => format!("wrong: not everything can be restored. {what}\n"),
    }
}
