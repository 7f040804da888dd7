//! What verify prints.

use serde::Serialize;
use shared::{
    archive::reading::walk::Depth,
    chain::{
        keys::{self, chain_folder},
        verify::{ChainReport, Finding, Kind, seals::Seals},
    },
};

use super::{repair::Repair, witnesses::Witnesses};
use crate::output::{Report, table, time::utc};

#[derive(Debug, Serialize)]
pub(super) struct Verified {
    /// Whether nothing is wrong.
    pub good: bool,
    /// Whether the committed offsets in Kafka were compared; only where Kafka is configured.
    compared_with_kafka: bool,
    /// Whether the metrics in Redis were compared; only where Redis is configured.
    compared_with_metrics: bool,
    /// Whether every record was read, or footers only.
    deep: bool,
    /// How long it took.
    pub seconds: f64,
    pub backups: Vec<Checked>,
}

#[derive(Debug, Serialize)]
pub(super) struct Checked {
    pub backup: String,
    /// Bytes of segments that were read, beyond their footers.
    pub bytes_read: u64,
    /// Whether seals were checked; only where a key is configured.
    pub sealed: bool,
    /// What `--repair` did to the metrics, and what it left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
    pub chains: Vec<ChainReport>,
    /// What is wrong outside of the chains, or with how others see them.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// A backup that cannot be checked, because nobody knows which cluster it is of.
    pub fn ownerless(backup: String) -> Self {
        let detail = "it is missing, and objects of a backup lie beside it";
        let finding = Finding::of_object(Kind::Damaged, keys::owner(&backup), detail);
        Checked::only(backup, finding)
    }

    /// A backup of which nothing is there.
    pub fn gone(backup: String) -> Self {
        let detail = "the storage has nothing of this backup, and redis has figures of what was stored";
        let finding = Finding::of_object(Kind::MissingTail, keys::backup_folder(&backup), detail);
        Checked::only(backup, finding)
    }

    fn only(backup: String, finding: Finding) -> Self {
        Checked { backup, bytes_read: 0, sealed: false, repairs: vec![], chains: vec![], findings: vec![finding] }
    }
}

impl Verified {
    pub fn new(witnesses: &Witnesses, depth: Depth) -> Self {
        Verified {
            good: true,
            compared_with_kafka: witnesses.kafka.is_some(),
            compared_with_metrics: witnesses.store.is_some(),
            deep: depth == Depth::Records,
            seconds: 0.0,
            backups: vec![],
        }
    }

    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let of_chains = self.backups.iter().flat_map(|backup| backup.chains.iter().flat_map(|chain| &chain.findings));
        self.backups.iter().flat_map(|backup| &backup.findings).chain(of_chains)
    }

    /// What is not wrong, and should be known.
    fn notes(&self) -> impl Iterator<Item = &Finding> {
        self.backups.iter().flat_map(|backup| backup.chains.iter().flat_map(|chain| &chain.notes))
    }

    fn how(&self) -> String {
        if !self.deep {
            return format!("by listings and footers, in {:.1} s", self.seconds);
        }
        let megabytes = self.backups.iter().map(|backup| backup.bytes_read).sum::<u64>() as f64 / 1e6;
        let rate = megabytes / self.seconds.max(1e-3);
        format!("every one read: {megabytes:.1} MB in {:.1} s, {rate:.0} MB/s", self.seconds)
    }

    /// How far keys vouch for it; nothing where nothing is sealed and no key is configured.
    fn seals(&self) -> String {
        let chains = self.backups.iter().flat_map(|backup| &backup.chains);
        let sum = chains.fold(Seals::default(), |sum, chain| sum.plus(chain.seals));
        let mut text = String::new();
        if self.backups.iter().any(|backup| backup.sealed) {
            text.push_str(&format!("; {} sealed, {} before a sealed one", sum.valid, sum.covered));
        }
        if sum.older_than_the_key > 0 {
            text.push_str(&format!(", {} older than the key, which nothing vouches for", sum.older_than_the_key));
        }
        if sum.unchecked > 0 {
            text.push_str(&format!(
                "; {} seals not checked, because no integrity.hmac_key is configured",
                sum.unchecked
            ));
        }
        text
    }

    fn conclusion(&self) -> String {
        let chains = self.backups.iter().flat_map(|backup| &backup.chains);
        let (segments, records) =
            chains.fold((0, 0), |(s, r), chain| (s + chain.present.segments, r + chain.present.records));
        let verdict = match self.findings().count() {
            0 => "good".to_owned(),
            count => format!("WRONG: {count} findings"),
        };
        let not = |compared: bool, what: &str, section: &str| match compared {
            true => String::new(),
            false => format!("; {what} not compared, because [{section}] is not configured"),
        };
        let kafka = not(self.compared_with_kafka, "committed offsets", "kafka");
        let metrics = not(self.compared_with_metrics, "metrics", "redis");
        let (how, seals) = (self.how(), self.seals());
        format!("{verdict}: {records} records in {segments} segments, {how}{seals}{kafka}{metrics}\n")
    }
}

fn row(report: &ChainReport) -> [String; 9] {
    let chain = &report.chain;
    [
        chain.backup.clone(),
        chain.topic.to_string(),
        chain.incarnation.to_string(),
        chain.partition.to_string(),
        report.start.to_string(),
        report.next.to_string(),
        report.present.records.to_string(),
        report.present.segments.to_string(),
        if report.findings.is_empty() { "good".to_owned() } else { "WRONG".to_owned() },
    ]
}

/// What is declared not to be there: nothing that is wrong, but nothing to be silent about.
fn gap_lines(report: &ChainReport) -> impl Iterator<Item = String> + '_ {
    report.gaps.iter().map(|gap| {
        let (folder, declared) = (chain_folder(&report.chain), utc(gap.declared_at));
        format!("gap: {folder} [{}, {}): {}, declared {declared}\n", gap.from, gap.to, name_of(gap.cause))
    })
}

/// Its name as JSON has it, so that there is one name for it.
pub(super) fn name_of(kind: impl Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}

fn repair_line(repair: &Repair) -> String {
    let Repair { hash, field, what, left_because } = repair;
    match left_because {
        None => format!("repaired: {hash} {field}: {what}\n"),
        Some(why) => format!("left: {hash} {field}: {what}, and {why}\n"),
    }
}

fn line(finding: &Finding) -> String {
    let range = match (finding.from, finding.to) {
        (Some(from), Some(to)) => format!(" [{from}, {to})"),
        _ => String::new(),
    };
    format!("{}: {}{range}: {}\n", name_of(finding.kind), finding.key, finding.detail)
}

impl Report for Verified {
    const SCHEMA: &'static str = "highwater.verify.v1";

    fn text(&self) -> String {
        let rows: Vec<_> = self.backups.iter().flat_map(|backup| &backup.chains).map(row).collect();
        let heads = ["BACKUP", "TOPIC", "N", "PARTITION", "START", "NEXT", "RECORDS", "SEGMENTS", ""];
        let gaps: String = self.backups.iter().flat_map(|backup| &backup.chains).flat_map(gap_lines).collect();
        let findings: String = self.findings().map(line).collect();
        let notes: String = self.notes().map(line).collect();
        let repairs: String = self.backups.iter().flat_map(|backup| &backup.repairs).map(repair_line).collect();
        format!("{}{gaps}{notes}{repairs}{findings}{}", table::layout(heads, &rows), self.conclusion())
    }
}
