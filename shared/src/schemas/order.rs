//! In which order schemas are registered.

use std::collections::BTreeSet;

use super::{Held, Snapshot};

/// All versions by id, where what a version refers to, and the versions before it in its subject, come before it.
#[must_use]
pub fn in_order(snapshot: &Snapshot) -> Vec<&Held> {
    let mut all: Vec<&Held> = snapshot.held().collect();
    all.sort_by_key(|held| (held.version.id, &held.version.subject, held.version.version));
    let mut ordering = Ordering { snapshot, seen: BTreeSet::new(), ordered: vec![] };
    for held in all {
        ordering.visit(held);
    }
    ordering.ordered
}

struct Ordering<'a> {
    snapshot: &'a Snapshot,
    seen: BTreeSet<(&'a str, u32)>,
    ordered: Vec<&'a Held>,
}

impl<'a> Ordering<'a> {
    fn visit(&mut self, held: &'a Held) {
        let version = &held.version;
        if !self.seen.insert((&version.subject, version.version)) {
            return;
        }
        for reference in &version.schema.references {
            if let Some(meant) = self.snapshot.version(&reference.subject, reference.version) {
                self.visit(meant);
            }
        }
        let own = self.snapshot.subject(&version.subject).into_iter().flat_map(|subject| &subject.versions);
        for earlier in own.filter(|it| it.version.version < version.version) {
            self.visit(earlier);
        }
        self.ordered.push(held);
    }
}
