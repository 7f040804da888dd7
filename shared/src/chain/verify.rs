//! Whether a backup is what it says, judged from listings and footers alone. Pure: what was listed and read comes in,
//! findings come out.
//!
//! Each segment says what the chain had counted before it (protocol C1 and the totals), so walking the chain once finds a
//! missing, doubled, replaced or foreign segment without reading a record.

pub mod figures;
pub mod seals;

use serde::Serialize;

use self::seals::{SealCheck, SealSeen, Seals};
use super::{ChainIdentity, Cuts, Floor, Totals, keys};
use crate::{
    record::{Millis, Offset},
    segment::{ChainPoint, Gap, SegmentMetadata, content, metadata::TimestampRange},
};

/// What is wrong somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A range of offsets lies in no segment.
    MissingRange,
    /// A range of offsets lies in two segments.
    Overlap,
    /// An object that is ours by its name cannot be read.
    Damaged,
    /// A segment's records are not what its footer says, or the footer contradicts itself.
    Content,
    /// An object that is none of ours, or a segment of another chain.
    Foreign,
    /// What a segment says was counted before it is not what was.
    Totals,
    /// The chain digest that a segment begins with is not the one that the segment before it ends with.
    Digest,
    /// The first segment does not begin where the floor says.
    Floor,
    /// The chain ends below what was already said to be stored.
    MissingTail,
    /// Kafka's log does not hold what the chain ends with.
    LogDiverged,
    /// A seal that its key did not make.
    Forged,
    /// A seal is missing, or of an unknown key, where there must be one.
    Unsealed,
    /// The metrics do not say what the storage says.
    Metrics,
    /// A segment that does not exist, since its writer did not know of an accepted loss: a note, and nothing that is wrong.
    Superseded,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// At which object, or in which folder.
    pub key: String,
    /// The first offset concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Offset>,
    /// The offset after the last one concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Offset>,
    /// What was expected, and what was found.
    pub detail: String,
}

impl Finding {
    /// A finding that concerns an object as a whole.
    #[must_use]
    pub fn of_object(kind: FindingKind, key: impl Into<String>, detail: impl Into<String>) -> Self {
        Finding { kind, key: key.into(), from: None, to: None, detail: detail.into() }
    }

    /// The same, of these offsets.
    #[must_use]
    pub fn with_range(self, from: Offset, to: Offset) -> Self {
        Finding { from: Some(from), to: Some(to), ..self }
    }
}

/// A segment as a listing shows it, and what its footer says (or why it cannot be read).
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its base, from the key.
    pub base: Offset,
    /// How many cuts its writer knew of, from the key.
    pub cuts: u32,
    /// Its size.
    pub size_bytes: u64,
    /// Its footer.
    pub metadata: Result<SegmentMetadata, Finding>,
    /// What is wrong with its records, where they were read too.
    pub content: Vec<Finding>,
    /// The seal on it, where its footer can be read.
    pub seal: Option<SealSeen>,
}

/// What a chain holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Which chain.
    #[serde(flatten)]
    pub chain: ChainIdentity,
    /// The first valid offset: the floor.
    pub start: Offset,
    /// The offset after the last one.
    pub next: Offset,
    /// Totals and digest at the end of the chain, as far as its last readable segment says.
    #[serde(flatten)]
    pub point: ChainPoint,
    /// What is present: the totals without what expired.
    pub present: Totals,
    /// Segments below the floor, which only wait to be deleted.
    pub expired_segments: u64,
    /// The least and the greatest record timestamp.
    pub timestamps: Option<TimestampRange>,
    /// When the last segment was written.
    pub written_at: Option<Millis>,
    /// What was declared not to be in the backup, and why.
    pub gaps: Vec<Gap>,
    /// How far a key vouches for it.
    pub seals: Seals,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is not, and should be known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Finding>,
}

/// Walks one chain, segment by segment in the order of their bases.
#[derive(Debug)]
pub struct ChainCheck {
    report: ChainReport,
    floor: Floor,
    /// Where the next segment must begin and from what; `None` behind a segment that cannot be read.
    expected: Option<(Offset, ChainPoint)>,
    seen: bool,
    seals: SealCheck,
    cuts: Cuts,
    may_be_bare: bool,
}

impl ChainCheck {
    /// Begins at the floor of a chain with these cuts.
    #[must_use]
    pub fn new(chain: ChainIdentity, floor: Floor, cuts: Cuts) -> Self {
        let report = ChainReport {
            chain,
            start: floor.base,
            next: floor.base,
            point: floor.before,
            present: Totals::default(),
            expired_segments: 0,
            timestamps: None,
            written_at: None,
            gaps: vec![],
            seals: Seals::default(),
            findings: vec![],
            notes: vec![],
        };
        let expected = Some((floor.base, floor.before));
        ChainCheck { report, expected, floor, seen: false, seals: SealCheck::default(), cuts, may_be_bare: false }
    }

    /// The next segment.
    pub fn segment(&mut self, listed: Listed) {
        if listed.base < self.floor.base {
            self.report.expired_segments += 1;
            return;
        }
        if self.cuts.is_superseded(listed.base, listed.cuts) {
            self.report.notes.push(superseded(listed));
            return;
        }
        self.joins(listed.base, &listed.key);
        match listed.metadata {
            Ok(metadata) => {
                self.continues(&listed.key, listed.size_bytes, &metadata);
                self.report.findings.extend(listed.content);
                if let Some(seal) = &listed.seal {
                    let range = (metadata.base, metadata.next);
                    self.seals.segment(&listed.key, range, seal, &mut self.report.findings);
                }
            }
            Err(finding) => {
                self.report.findings.push(finding);
                self.report.next = self.report.next.max(listed.base.next());
                self.expected = None;
            }
        }
        self.seen = true;
    }

    /// Nothing need lie behind the floor: that it is missing was accepted.
    pub fn floor_may_be_bare(&mut self) {
        self.may_be_bare = true;
    }

    /// Something wrong beside its segments.
    pub fn found(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    /// The end of the listing.
    #[must_use]
    pub fn finish(mut self) -> ChainReport {
        if !self.seen && self.floor.base > Offset(0) && !self.may_be_bare {
            let detail = format!("the floor is at {}, and no segment lies there or above", self.floor.base);
            let folder = keys::chain_folder(&self.report.chain);
            self.report.findings.push(Finding::of_object(FindingKind::MissingTail, folder, detail));
        }
        self.seals.finish(&mut self.report.findings);
        self.report.seals = self.seals.seals;
        self.report.present = self.report.point.totals.minus(self.floor.before.totals);
        self.report
    }

    /// Whether a segment begins where the one before it ended.
    fn joins(&mut self, base: Offset, key: &str) {
        let Some((expected, _)) = self.expected else { return };
        let (kind, from, to) = match (base.cmp(&expected), self.seen) {
            (std::cmp::Ordering::Equal, _) => return,
            (std::cmp::Ordering::Less, _) => (FindingKind::Overlap, base, expected),
            (std::cmp::Ordering::Greater, false) if expected > Offset(0) => (FindingKind::Floor, expected, base),
            (std::cmp::Ordering::Greater, _) => (FindingKind::MissingRange, expected, base),
        };
        let detail = format!("a segment should begin at {expected}, and the next one begins at {base}");
        self.report.findings.push(Finding::of_object(kind, key, detail).with_range(from, to));
    }

    /// Whether a segment counts on from where the one before it stopped.
    fn continues(&mut self, key: &str, size_bytes: u64, metadata: &SegmentMetadata) {
        let at_frontier = self.expected.filter(|(next, _)| *next == metadata.base);
        if let Some((_, point)) = at_frontier {
            self.report.findings.extend(differences(key, metadata, point));
        }
        self.report.findings.extend(content::contradictions(metadata).into_iter().map(|detail| {
            Finding::of_object(FindingKind::Content, key, detail).with_range(metadata.base, metadata.next)
        }));
        if self.expected.is_some_and(|(next, _)| metadata.next <= next) {
            return; // it lies within what was there already, and nothing goes on from it
        }
        let point = metadata.after(size_bytes);
        self.report.next = self.report.next.max(metadata.next);
        self.report.point = point;
        self.report.written_at = Some(metadata.written_at);
        self.report.gaps.extend(metadata.gaps.iter().cloned());
        if let Some(range) = metadata.timestamps {
            let wider = TimestampRange::including(self.report.timestamps, range.min);
            self.report.timestamps = Some(TimestampRange::including(Some(wider), range.max));
        }
        self.expected = Some((self.report.next, point));
    }
}

fn superseded(listed: Listed) -> Finding {
    let next = listed.metadata.as_ref().map_or(listed.base.next(), |metadata| metadata.next);
    let detail = "its writer did not know of a loss that was accepted: it is no part of the backup, nothing of it is needed, and \
                  it may be deleted";
    Finding::of_object(FindingKind::Superseded, listed.key, detail).with_range(listed.base, next)
}

pub(super) fn text_of(totals: &Totals) -> String {
    serde_json::to_string(totals).unwrap_or_default()
}

fn differences(key: &str, metadata: &SegmentMetadata, point: ChainPoint) -> Vec<Finding> {
    let (before, base) = (metadata.before, metadata.base);
    let finding = |kind, what: String| Finding::of_object(kind, key, what).with_range(base, metadata.next);
    let mut findings = vec![];
    if before.totals != point.totals {
        let (counted, said) = (text_of(&point.totals), text_of(&before.totals));
        let detail = format!("the chain before it counts {counted}, and it says {said}");
        findings.push(finding(FindingKind::Totals, detail));
    }
    if before.digest != point.digest {
        let detail = format!("the chain before it has the digest {}, and it says {}", point.digest, before.digest);
        findings.push(finding(FindingKind::Digest, detail));
    }
    findings
}

/// Somebody else's word for how far a chain went, read **before** the storage was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness<'a> {
    /// Who says so, as in "the offset that group highwater.main committed".
    pub who: &'a str,
    /// Everything below was stored.
    pub next: Offset,
}

/// C5: a chain that ends below what a witness knows has lost its tail.
#[must_use]
pub fn missing_tail(folder: &str, stored_next: Offset, witness: Witness<'_>) -> Option<Finding> {
    let Witness { who, next } = witness;
    (stored_next < next).then(|| {
        let mut detail = format!("the backup ends at {stored_next}, and {who} is {next}");
        if stored_next == Offset(0) {
            detail.push_str("; perhaps storage.url or the name of the backup is not that of before");
        }
        Finding::of_object(FindingKind::MissingTail, folder, detail).with_range(stored_next, next)
    })
}

#[cfg(test)]
mod tests;
