//! `highwater metrics`: what `/metrics` can have.

use shared::metrics::registry::{Metric, SECTIONS};

use crate::{
    failure::{Failure, Verdict},
    output,
};

pub(super) fn run() -> Result<Verdict, Failure> {
    output::text(&reference()).map(|()| Verdict::Good)
}

/// Every metric, subject by subject, from the registry that the page is written by.
fn reference() -> String {
    let mut text = "## Every metric\n".to_owned();
    for section in SECTIONS {
        text +=
            &format!("\n### {}\n\n| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n", section.title);
        text.extend(section.metrics.iter().map(row));
    }
    text
}

fn row(metric: &Metric) -> String {
    let Metric { name, kind, labels, unit, help } = metric;
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{name}` | {} | {} | {unit} | {help} |\n", kind.name(), labels.join(", "))
}

#[cfg(test)]
mod tests {
    use shared::metrics::registry::all;

    use super::*;

    #[test]
    fn the_reference_has_every_metric_in_a_row_of_five_cells() {
        let text = reference();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), all().count());
        let cells = |row: &str| row.matches('|').count() - 1;
        assert_eq!(rows.iter().find(|row| cells(row) != 5), None, "a cell holds a |");
        let lag = "| `highwater_replication_lag_records` | gauge | `backup`, `location`, `topic`, `partition` | records | Offsets";
        assert!(rows.iter().any(|row| row.starts_with(lag)), "{text}");
    }
}
