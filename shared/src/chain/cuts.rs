//! Where a chain was cut: what a writer stored that did not know of a loss which was accepted.
//!
//! Behind an accepted loss of its tail a chain goes on at a lower frontier. A writer that opened it before may sleep for as
//! long as it likes, wake, and store a segment at the frontier that it remembers, in the middle of what was written since. So
//! every key tells how many cuts its writer knew of ([`super::keys::segment_behind`]), and a listing alone tells which
//! segments are **superseded**: they do not exist, as what lies below a floor does not. Once superseded a key is so for ever, since
//! cuts are never taken back: whoever meets such a segment may delete it, at any moment and any number of times.
//!
//! Writers that know of as many cuts meet at the same keys, where only one of them can create. Those that know of fewer
//! have no key in common with them, and nothing to say from the cut on.

use crate::record::Offset;

/// The cuts of a chain, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cuts(Vec<Offset>);

impl Cuts {
    /// Cuts at these frontiers.
    #[must_use]
    pub fn at(frontiers: Vec<Offset>) -> Self {
        Cuts(frontiers)
    }

    /// How many there are: what a writer that has read them knows of.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The latest. Everything below it was there when it was made, so a chain that ends below has lost its tail again.
    #[must_use]
    pub fn last(&self) -> Option<Offset> {
        self.0.last().copied()
    }

    /// Whether a segment that begins at `base` does not exist, of a writer that knew of the first `known` cuts.
    #[must_use]
    pub fn is_superseded(&self, base: Offset, known: u32) -> bool {
        self.0.iter().skip(usize::try_from(known).unwrap_or(usize::MAX)).any(|cut| *cut <= base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superseded(base: i64, known: u32) -> bool {
        Cuts::at(vec![Offset(100), Offset(50)]).is_superseded(Offset(base), known)
    }

    #[test]
    fn what_begins_at_a_cut_or_above_is_superseded_where_its_writer_did_not_know_of_it() {
        assert!(
            superseded(100, 0) && superseded(101, 0) && superseded(50, 1) && superseded(170, 1) && superseded(50, 0)
        );
        assert!(!superseded(49, 0) && !superseded(49, 1), "below every cut nothing is");
        assert!(!superseded(50, 2) && !superseded(170, 2) && !superseded(170, 3), "who knew of all is right");
        assert!(!Cuts::default().is_superseded(Offset(i64::MAX), 0), "without a cut nothing is");
        assert_eq!((Cuts::at(vec![Offset(100), Offset(50)]).last(), Cuts::default().last()), (Some(Offset(50)), None));
    }
}
