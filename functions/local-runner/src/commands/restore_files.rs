//! `highwater restore --into-files`: topics of a backup into files.

use std::sync::Arc;

use segment_restorer::{FilesReport, IntoFiles, Meter, Outcome, TopicFiles, into_files};
use shared::{
    adapters::{instance, system_clock::SystemClock},
    ports::objects::Objects,
};

use super::restoring::{done, findings, judged, missing_line, with_progress};
use crate::{
    failure::{Failure, Verdict},
    output::{self, Report, table},
};

pub(super) async fn run(input: &IntoFiles, objects: Arc<dyn Objects>, json: bool) -> Result<Verdict, Failure> {
    let (instance, meter) = (instance::name(&SystemClock), Meter::default());
    let report = with_progress("restore", &meter, into_files(input, objects, &instance, &meter)).await?;
    output::print(&Written(&report), json)?;
    Ok(judged(report.outcome))
}

#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct Written<'a>(pub(super) &'a FilesReport);

impl Report for Written<'_> {
    const SCHEMA: &'static str = "highwater.restore_files.v1";

    fn text(&self) -> String {
        let findings = findings(&self.0.findings);
        let rows: Vec<_> = self.0.topics.iter().flat_map(rows).collect();
        let heads = ["TOPIC", "N", "FOLDER", "PARTITION", "FILES", "THERE", "RECORDS", "AT MOST", "FILTERED"];
        let error = |topic: &TopicFiles| Some(format!("{}: {}\n", topic.folder, topic.error.as_ref()?));
        let errors: String = self.0.topics.iter().filter_map(error).collect();
        let missing: String = self.0.topics.iter().flat_map(missing).collect();
        format!("{findings}{}{errors}{missing}{}", table::layout(heads, &rows), verdict(self.0))
    }
}

fn rows(topic: &TopicFiles) -> impl Iterator<Item = [String; 9]> + '_ {
    topic.partitions.iter().map(move |it| {
        [
            topic.source.to_string(),
            topic.incarnation.to_string(),
            topic.folder.to_string(),
            it.partition.to_string(),
            it.files_written.to_string(),
            it.files_there.to_string(),
            it.counts.records.to_string(),
            it.records_max.to_string(),
            it.counts.filtered.to_string(),
        ]
    })
}

fn missing(topic: &TopicFiles) -> impl Iterator<Item = String> + '_ {
    topic.partitions.iter().flat_map(move |partition| {
        let line = move |it| missing_line(&topic.source, partition.partition, it, "are in no file");
        partition.missing.iter().map(line)
    })
}

fn verdict(report: &FilesReport) -> String {
    let missing = report.topics.iter().flat_map(|topic| &topic.partitions).flat_map(|it| &it.missing);
    let text = match report.outcome {
        Outcome::Done => return done(missing, "a file"),
        Outcome::Planned => "dry run: nothing is written\n",
        Outcome::Refused => "refused: nothing is written\n",
        Outcome::Stopped | Outcome::TakenOver | Outcome::Failed => {
            "failed: start it again, it goes on with the files that are not there\n"
        }
    };
    text.to_owned()
}
