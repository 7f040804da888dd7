//! What a run found.

use serde::Serialize;
use shared::{
    archive::reading::walk::Depth,
    chain::{
        keys,
        verify::{ChainReport, Finding, FindingKind},
    },
};

use crate::{repair::Repair, witnesses::Witnesses};

/// Who else knows how far a backup went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The backup's consumer group, and the ends of the logs.
    Kafka,
    /// The figures.
    Redis,
}

/// A witness that is configured and was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    /// Which.
    pub witness: Witness,
    /// What it failed with.
    pub because: String,
}

/// What a run found.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Whether nothing is wrong, and every witness that is configured was compared.
    pub good: bool,
    /// Whether the committed offsets in Kafka were compared; only where Kafka is configured.
    pub compared_with_kafka: bool,
    /// Whether the metrics in Redis were compared; only where Redis is configured.
    pub compared_with_metrics: bool,
    /// The witnesses that are configured and were not.
    pub not_compared: Vec<NotCompared>,
    /// Whether every record was read, or footers only.
    pub deep: bool,
    /// How long it took.
    pub seconds: f64,
    /// By backup.
    pub backups: Vec<Checked>,
}

/// What a run found of one backup.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Its name.
    pub backup: String,
    /// Bytes of segments that were read, beyond their footers.
    pub bytes_read: u64,
    /// Whether seals were checked; only where a key is configured.
    pub sealed: bool,
    /// What a repair did to the metrics, and what it left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repairs: Vec<Repair>,
    /// Its chains.
    pub chains: Vec<ChainReport>,
    /// What is wrong outside of the chains, or with how others see them.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// A backup that cannot be checked, because nobody knows which cluster it is of.
    pub(crate) fn ownerless(backup: String) -> Self {
        let detail = "it is missing, and objects of a backup lie beside it";
        let finding = Finding::of_object(FindingKind::Damaged, keys::owner(&backup), detail);
        Checked::only(backup, finding)
    }

    /// A backup of which nothing is there, and who tells of it.
    pub(crate) fn gone(backup: String, who: &str) -> Self {
        let detail = format!(
            "the storage has nothing of this backup, and {who} of what was stored: check that storage.url and the name of the \
             backup are those of before"
        );
        let finding = Finding::of_object(FindingKind::MissingTail, keys::backup_folder(&backup), detail);
        Checked::only(backup, finding)
    }

    /// Everything that is wrong with it.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.chains.iter().flat_map(|chain| &chain.findings))
    }

    fn only(backup: String, finding: Finding) -> Self {
        Checked { backup, bytes_read: 0, sealed: false, repairs: vec![], chains: vec![], findings: vec![finding] }
    }
}

impl Verified {
    pub(crate) fn new(witnesses: &Witnesses, depth: Depth) -> Self {
        Verified {
            good: true,
            compared_with_kafka: witnesses.kafka.is_some(),
            compared_with_metrics: witnesses.store.is_some(),
            not_compared: witnesses.not_compared.clone(),
            deep: depth == Depth::Records,
            seconds: 0.0,
            backups: vec![],
        }
    }

    /// Everything that is wrong.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.backups.iter().flat_map(Checked::all_findings)
    }

    /// What is not wrong, and should be known.
    pub fn notes(&self) -> impl Iterator<Item = &Finding> {
        self.backups.iter().flat_map(|backup| &backup.chains).flat_map(|chain| &chain.notes)
    }
}
