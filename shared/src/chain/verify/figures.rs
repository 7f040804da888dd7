//! The store of figures against the storage.

use super::{ChainReport, Finding, FindingKind, text_of};
use crate::{
    chain::{Floor, Totals, keys},
    record::{Offset, TopicId},
    segment::ChainPoint,
};

/// A chain's figures in the store of figures, read **after** the storage was listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// The topic's id of the chain's incarnation.
    pub topic_id: Option<TopicId>,
    /// The frontier and what the chain counts there.
    pub head: Option<(Offset, ChainPoint)>,
    /// The floor and what the chain counts below it.
    pub floor: Option<(Offset, Totals)>,
}

/// What is missing and what is wrong of a chain's figures.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Figures that are not there. Where nothing shows them that is nothing wrong.
    pub missing: Vec<Finding>,
    /// Figures that are behind, or differ.
    pub wrong: Vec<Finding>,
}

/// Whether the figures are at least as far as the storage was, and the same where they stand at the same place.
#[must_use]
pub fn compare_figures(report: &ChainReport, floor: &Floor, figures: &Figures) -> Compared {
    Compared { missing: missing(report, figures), wrong: wrong(report, floor, figures) }
}

fn missing(report: &ChainReport, figures: &Figures) -> Vec<Finding> {
    let what = match figures {
        Figures { head: None, .. } if report.next > Offset(0) => {
            vec![format!("no figures, and the backup ends at {}", report.next)]
        }
        Figures { head: None, .. } => vec![],
        Figures { floor, topic_id, .. } => {
            let floor = floor.is_none().then(|| "no figures of where the backup begins".to_owned());
            floor.into_iter().chain(topic_id.is_none().then(|| "no figures of the topic's id".to_owned())).collect()
        }
    };
    let folder = keys::chain_folder(&report.chain);
    what.into_iter().map(|detail| Finding::of_object(FindingKind::Metrics, folder.clone(), detail)).collect()
}

fn wrong(report: &ChainReport, floor: &Floor, figures: &Figures) -> Vec<Finding> {
    let folder = keys::chain_folder(&report.chain);
    let finding = |detail: String| Finding::of_object(FindingKind::Metrics, folder.clone(), detail);
    let mut findings = vec![];
    match figures.head {
        Some((next, _)) if next < report.next => {
            let detail = format!("the figures end at {next}, and the backup at {}", report.next);
            findings.push(finding(detail).with_range(next, report.next));
        }
        Some((next, point)) if next == report.next && point.digest != report.point.digest => {
            let detail = format!(
                "at {next} the figures have the digest {}, and the backup {}: its last segment was replaced, or the figures were",
                point.digest, report.point.digest
            );
            findings.push(Finding::of_object(FindingKind::Digest, folder.clone(), detail));
        }
        Some((next, point)) if next == report.next && point != report.point => {
            let (theirs, ours) = (text_of(&point.totals), text_of(&report.point.totals));
            findings.push(finding(format!("at {next} the figures are {theirs}, and the backup says {ours}")));
        }
        _ => {}
    }
    match figures.floor {
        Some((start, totals)) if start < floor.base || (start == floor.base && totals != floor.before.totals) => {
            let detail =
                format!("the figures begin at {start} after {}, and the backup at {}", text_of(&totals), floor.base);
            findings.push(finding(detail));
        }
        _ => {}
    }
    if let Some(id) = &figures.topic_id
        && *id != report.chain.topic_id
    {
        findings
            .push(finding(format!("the figures are of topic id {id}, and the backup of {}", report.chain.topic_id)));
    }
    findings
}
