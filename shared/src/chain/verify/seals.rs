//! Which segments of a chain a key vouches for: the rule is in [`crate::chain::seal`].

use serde::Serialize;

use super::{Finding, FindingKind};
use crate::{
    chain::seal::{SealRule, Worth},
    record::{Millis, Offset},
    segment::footer::Footer,
};

/// The seal on a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealSeen {
    /// What it is worth; `None` where there is no key to tell by.
    pub worth: Option<Worth>,
    /// Whether the store dates the segment before the first key.
    pub excused: bool,
    /// Whether it says that it is sealed.
    pub claimed: bool,
}

impl SealSeen {
    /// Looks at the seal of a segment that the store dates so.
    #[must_use]
    pub fn of(footer: &Footer, modified: Millis, rule: Option<&SealRule>) -> Self {
        SealSeen {
            worth: rule.map(|rule| rule.of_segment(&footer.text, footer.seal.as_ref())),
            excused: rule.is_some_and(|rule| rule.excuses(modified)),
            claimed: footer.metadata.sealed_by.is_some(),
        }
    }
}

/// How many segments of a chain are sealed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Seals {
    /// With a seal that a known key made.
    pub valid: u64,
    /// Without one, but before one that has: its digest vouches for them where the records are read too.
    pub covered: u64,
    /// Without one, and older than the first key: nothing vouches for them.
    pub older_than_the_key: u64,
    /// That say they are sealed, and could not be checked without a key.
    pub unchecked: u64,
}

impl Seals {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Seals) -> Seals {
        Seals {
            valid: self.valid + other.valid,
            covered: self.covered + other.covered,
            older_than_the_key: self.older_than_the_key + other.older_than_the_key,
            unchecked: self.unchecked + other.unchecked,
        }
    }
}

/// Judges the seals of a chain in the order of its segments.
#[derive(Debug, Default)]
pub(super) struct SealCheck {
    pub seals: Seals,
    pending: Vec<Pending>,
}

/// A segment that only a later seal can vouch for.
#[derive(Debug)]
struct Pending {
    key: String,
    range: (Offset, Offset),
    excused: bool,
    why: String,
}

impl SealCheck {
    pub fn segment(&mut self, key: &str, range: (Offset, Offset), seen: &SealSeen, findings: &mut Vec<Finding>) {
        let why = match &seen.worth {
            None => return self.seals.unchecked += u64::from(seen.claimed),
            Some(Worth::Valid) => {
                self.seals.valid += 1;
                self.seals.covered += self.pending.drain(..).len() as u64;
                return;
            }
            Some(Worth::Wrong) => {
                let detail = "its seal is not what its key makes: somebody without the key wrote it";
                return findings
                    .push(Finding::of_object(FindingKind::Forged, key, detail).with_range(range.0, range.1));
            }
            Some(Worth::None) => "it has no seal".to_owned(),
            Some(Worth::Unknown(id)) => format!("it is sealed with the key {id}, which is none of those configured"),
        };
        let pending = Pending { key: key.to_owned(), range, excused: seen.excused, why };
        match (&seen.worth, self.seals.valid) {
            // A chain that is sealed stays so: its writers refuse anything else.
            (Some(Worth::None), 1..) => findings.push(pending.finding("and comes behind segments that have")),
            _ => self.pending.push(pending),
        }
    }

    /// The end of the chain: what no later seal vouches for must be older than the key.
    pub fn finish(&mut self, findings: &mut Vec<Finding>) {
        let behind_sealed = self.seals.valid > 0;
        for pending in self.pending.drain(..) {
            if pending.excused && !behind_sealed {
                self.seals.older_than_the_key += 1;
            } else {
                let rest =
                    "and no sealed segment follows it; where it is older than the first key, say so in integrity.since";
                findings.push(pending.finding(rest));
            }
        }
    }
}

impl Pending {
    fn finding(&self, rest: &str) -> Finding {
        let detail = format!("{}, {rest}", self.why);
        Finding::of_object(FindingKind::Unsealed, &*self.key, detail).with_range(self.range.0, self.range.1)
    }
}

/// What is wrong with the seal of accepted losses.
#[must_use]
pub fn of_losses(key: &str, worth: &Worth) -> Option<Finding> {
    let (kind, detail) = match worth {
        Worth::Valid => return None,
        Worth::Wrong => {
            (FindingKind::Forged, "its seal is not what its key makes: somebody without the key accepted the loss")
        }
        Worth::None | Worth::Unknown(_) => {
            (FindingKind::Unsealed, "it has no seal of a known key, and so excuses nothing")
        }
    };
    Some(Finding::of_object(kind, key, detail))
}

/// What is wrong with the seal of a floor that the store dates so.
#[must_use]
pub fn of_floor(key: &str, worth: &Worth, excused: bool) -> Option<Finding> {
    let finding = |kind, detail: &str| Some(Finding::of_object(kind, key, detail));
    match worth {
        Worth::Valid => None,
        Worth::Wrong => {
            finding(FindingKind::Forged, "its seal is not what its key makes: somebody without the key moved it")
        }
        _ if excused => None,
        Worth::None => finding(FindingKind::Unsealed, "it has no seal: somebody without the key moved it"),
        Worth::Unknown(id) => finding(
            FindingKind::Unsealed,
            &format!("it is sealed with the key {id}, which is none of those configured"),
        ),
    }
}
