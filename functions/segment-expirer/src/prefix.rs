//! The beginning of a chain that has expired.
//!
//! A listing alone says of most segments that they are old enough: a segment is at least as old as its file. Footers are
//! read only of files that are younger than that, since their records may be older.

use std::collections::VecDeque;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use shared::{
    chain::{ChainIdentity, retention::segment_time},
    record::Offset,
};

use crate::{ExpireError, listed::Listed, rules::Run, seals};

/// How far a chain has expired.
pub(crate) struct Prefix<'a> {
    run: &'a Run<'a>,
    chain: &'a ChainIdentity,
    /// What lies from here on is held by a pin.
    held_from: Option<Offset>,
    /// The first segment that has not expired, of those that came so far.
    first: Option<Listed>,
    /// How many have expired.
    pub expired: u64,
    /// Whether the first one is known to stay.
    pub ended: bool,
    /// Whether the run has done enough before that was known.
    pub cut_short: bool,
    footers_left: usize,
}

impl<'a> Prefix<'a> {
    pub fn new(run: &'a Run<'a>, chain: &'a ChainIdentity, held_from: Option<Offset>) -> Self {
        let footers_left = run.context.limits.footers_max;
        Prefix { run, chain, held_from, first: None, expired: 0, ended: false, cut_short: false, footers_left }
    }

    /// The first segment that stays, if any before it has expired.
    pub fn new_first(&self) -> Option<&Listed> {
        self.first.as_ref().filter(|_| self.expired > 0)
    }

    /// Takes the next segments, ascending. A segment is judged when another one is seen behind it: the last one stays.
    pub async fn take(&mut self, segments: Vec<Listed>) -> Result<(), ExpireError> {
        let mut waiting: VecDeque<Listed> = self.first.take().into_iter().chain(segments).collect();
        // Most often the first one stays: only behind one that does not are several looked at together.
        let mut at_once = 1;
        while !self.ended && waiting.len() > 1 {
            let count = at_once.min(waiting.len() - 1);
            for has_expired in self.judge(waiting.iter().take(count)).await? {
                let is_held = self.held_from.is_some_and(|from| waiting[1].entry.base > from);
                if is_held || !has_expired {
                    self.ended = true;
                    break;
                }
                waiting.pop_front();
                self.expired += 1;
            }
            at_once = (at_once * 2).min(self.run.context.limits.footers_at_once_max.max(1));
        }
        self.first = waiting.pop_front();
        Ok(())
    }

    async fn judge(&mut self, segments: impl Iterator<Item = &Listed>) -> Result<Vec<bool>, ExpireError> {
        let segments: Vec<&Listed> = segments.collect();
        let footers = segments.iter().filter(|listed| !self.run.has_expired(listed.modified)).count();
        if footers > self.footers_left {
            (self.ended, self.cut_short) = (true, true);
            return Ok(vec![]);
        }
        self.footers_left -= footers;
        let verdicts: Vec<_> = segments.into_iter().map(|listed| has_expired(self.run, self.chain, listed)).collect();
        stream::iter(verdicts).buffered(self.run.context.limits.footers_at_once_max.max(1)).try_collect().await
    }
}

async fn has_expired(run: &Run<'_>, chain: &ChainIdentity, listed: &Listed) -> Result<bool, ExpireError> {
    if run.has_expired(listed.modified) {
        return Ok(true);
    }
    let metadata = seals::read_believed(run, chain, listed).await?;
    Ok(run.has_expired(segment_time(listed.modified, metadata.timestamps)))
}
