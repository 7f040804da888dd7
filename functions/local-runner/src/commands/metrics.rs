//! `highwater metrics`: what `/metrics` can have.

use serde::Serialize;
use shared::metrics::registry::{Metric, SECTIONS};

use crate::{
    cli::MetricsCommand,
    failure::{Failure, Verdict},
    output::{self, Report},
};

pub(super) fn run(command: &MetricsCommand) -> Result<Verdict, Failure> {
    let MetricsCommand::Reference(args) = command;
    output::print(&reference(), args.json).map(|()| Verdict::Good)
}

/// What `metrics reference` prints: every metric, from the registry that the page is written by.
#[derive(Debug, Serialize)]
pub(super) struct Reference {
    pub(super) metrics: Vec<Entry>,
}

/// One metric.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    pub(super) subject: &'static str,
    pub(super) metric: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) labels: &'static [&'static str],
    pub(super) unit: &'static str,
    pub(super) meaning: &'static str,
}

pub(super) fn reference() -> Reference {
    let all = SECTIONS.iter().flat_map(|section| section.metrics.iter().map(|metric| (section.title, metric)));
    let entry = |(subject, metric): (_, &'static Metric)| Entry {
        subject,
        metric: metric.name,
        kind: metric.kind.name(),
        labels: metric.labels,
        unit: metric.unit,
        meaning: metric.help,
    };
    Reference { metrics: all.map(entry).collect() }
}

impl Report for Reference {
    const SCHEMA: &'static str = "highwater.metrics-reference.v1";

    fn text(&self) -> String {
        let mut text = "## Every metric\n".to_owned();
        for section in self.metrics.chunk_by(|one, next| one.subject == next.subject) {
            let title = section[0].subject;
            text += &format!("\n### {title}\n\n| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n");
            text.extend(section.iter().map(Entry::row));
        }
        text
    }
}

impl Entry {
    fn row(&self) -> String {
        let Entry { metric, kind, labels, unit, meaning, .. } = self;
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{metric}` | {kind} | {} | {unit} | {meaning} |\n", labels.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use shared::metrics::registry::all;

    use super::*;

    #[test]
    fn the_reference_has_every_metric_in_a_row_of_five_cells() {
        let text = reference().text();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), all().count());
        let cells = |row: &str| row.matches('|').count() - 1;
        assert_eq!(rows.iter().find(|row| cells(row) != 5), None, "a cell holds a |");
        let lag = "| `highwater_replication_lag_records` | gauge | `backup`, `location`, `topic`, `partition` | records | Offsets";
        assert!(rows.iter().any(|row| row.starts_with(lag)), "{text}");
    }
}
