//! What was proven of backups: the last verification and the last drills; and which functions failed when they last ran.

use std::sync::Arc;

use serde::Serialize;

use super::{
    Finding, Known, Severity, Subject,
    findings::{duration, finding},
};
use crate::{
    metrics::{
        drills::{self, Drills},
        verifications,
    },
    record::Millis,
};

/// The last verification or drill of a backup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckRow {
    /// The backup.
    pub backup: Arc<str>,
    /// `verification` or `drill`.
    pub check: &'static str,
    /// How much of it was looked at: `footers` or `deep` of a verification, `sample` or `full` of a drill.
    pub depth: &'static str,
    /// How bad it is.
    pub level: Severity,
    /// When it ended.
    pub at: Millis,
    /// How many things are wrong; `null` of a drill.
    pub findings: Option<String>,
    /// When one last found nothing wrong; `null` where that is not known.
    pub last_good_at: Option<Millis>,
}

fn level(good: bool) -> Severity {
    if good { Severity::Safe } else { Severity::Danger }
}

/// The rows, by backup.
pub(super) fn rows(known: &Known<'_>) -> Vec<CheckRow> {
    let verifications = known.checks.verifications.iter().map(|(last, good_at)| CheckRow {
        backup: last.backup.clone(),
        check: "verification",
        depth: verifications::mode(last.deep),
        level: level(last.findings == 0),
        at: last.at,
        findings: Some(last.findings.to_string()),
        last_good_at: *good_at,
    });
    let drills = known.checks.drills.iter().map(|Drills { last, last_good }| CheckRow {
        backup: last.backup.clone(),
        check: "drill",
        depth: drills::mode(last.sample),
        level: level(last.good),
        at: last.at,
        findings: None,
        last_good_at: last_good.as_ref().map(|good| good.at),
    });
    let mut rows: Vec<_> = verifications.chain(drills).collect();
    rows.sort_by(|a, b| (&a.backup, a.check, a.depth).cmp(&(&b.backup, b.check, b.depth)));
    rows
}

/// What is wrong with what was checked, and with the functions that run on a schedule.
pub(super) fn findings(known: &Known<'_>) -> Vec<Finding> {
    let ago = |at: Millis| format!("{} ago", duration(known.now.0.saturating_sub(at.0) as f64 / 1_000.0));
    let rows = rows(known);
    let wrong = |check: &str, title: &str, remedy: &dyn Fn(&str) -> String| {
        let wrong = rows.iter().filter(|row| row.check == check && row.level == Severity::Danger);
        let of_backup = wrong.map(|row| {
            let found = row.findings.as_ref().map(|count| format!("{count} found, ")).unwrap_or_default();
            let subject = Subject { name: row.depth.to_owned(), detail: format!("{found}{}", ago(row.at)) };
            finding(Severity::Danger, title, &remedy(row.depth), Some(&row.backup), vec![subject])
        });
        of_backup.collect::<Vec<_>>()
    };
    let mut findings =
        wrong("verification", "The last verification found that the storage is not as it should be.", &|depth| {
            let all = if depth == verifications::mode(true) { " --deep" } else { "" };
            format!("See what is wrong and what to do: highwater verify{all}")
        });
    findings.extend(wrong(
        "drill",
        "The last drill failed: the backup did not come back as it was stored.",
        &|depth| {
            let part = if depth == drills::mode(true) { " --sample" } else { "" };
            format!("See what differs: highwater drill{part}")
        },
    ));
    let failing = known.checks.runs.failing().map(|(end, kind)| {
        let of_backup = if end.backup.is_empty() { String::new() } else { format!("backup {}, ", end.backup) };
        Subject { name: end.function.clone(), detail: format!("{of_backup}{kind}, {}", ago(end.at)) }
    });
    let failing: Vec<_> = failing.collect();
    if !failing.is_empty() {
        findings.push(finding(
            Severity::Attention,
            "A function failed when it last ran.",
            "Its log says why. It is tried again when it next runs.",
            None,
            failing,
        ));
    }
    findings
}
