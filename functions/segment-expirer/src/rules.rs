//! What holds for a whole run of a backup.

use shared::{
    archive::pins::Pins,
    chain::{ChainIdentity, Retention, SealKey, SealRule},
    record::{Millis, Offset},
};

use crate::Context;

/// What holds for a whole run of a backup.
pub(crate) struct Run<'a> {
    pub context: &'a Context,
    pub retention: Retention,
    /// What seals are checked by, where the backup has a key.
    pub seals: Option<&'a SealRule>,
    /// The time, read before the pins.
    pub now: Millis,
    /// The pins, read after the time.
    pub pins: Pins,
    pub deadline: Option<Millis>,
}

impl<'a> Run<'a> {
    /// The key to seal with, where the backup has one.
    pub fn seal_key(&self) -> Option<&'a SealKey> {
        self.seals.and_then(|seals| seals.keys.first())
    }
}

impl Run<'_> {
    /// Whether what is of `time` has expired.
    pub(crate) fn has_expired(&self, time: Millis) -> bool {
        self.retention.has_expired(time, self.now)
    }

    /// From which offset on a chain was held when the run began.
    pub(crate) fn held_from(&self, chain: &ChainIdentity) -> Option<Offset> {
        self.pins.held_from(chain)
    }

    /// Whether it is too late to begin anything.
    pub(crate) fn is_over(&self) -> bool {
        let margin_ms = i64::try_from(self.context.limits.deadline_margin.as_millis()).unwrap_or(i64::MAX);
        self.deadline.is_some_and(|deadline| self.context.clock.now().0 >= deadline.0.saturating_sub(margin_ms))
    }
}
