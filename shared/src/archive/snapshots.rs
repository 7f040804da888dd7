//! A folder of snapshots: objects that say how something was at some time, none ever replaced by a later one.
//!
//! `<folder>/<milliseconds since 1970, 20 digits>.json`

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};

use super::{ArchiveError, control, listing::objects_below};
use crate::{ports::objects::Objects, record::Millis};

const SUFFIX: &str = ".json";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A folder of snapshots.
#[derive(Clone)]
pub(super) struct Snapshots<'a> {
    objects: &'a dyn Objects,
    /// With the slash at its end.
    folder: String,
}

impl<'a> Snapshots<'a> {
    pub(super) fn new(objects: &'a dyn Objects, folder: String) -> Self {
        Snapshots { objects, folder }
    }

    /// When the snapshots were taken, ascending.
    pub(super) async fn moments(&self) -> Result<Vec<Millis>, ArchiveError> {
        let moment = |key: &str| key.strip_prefix(&self.folder)?.strip_suffix(SUFFIX)?.parse().ok().map(Millis);
        let entries = objects_below(self.objects, &self.folder).await?;
        Ok(entries.iter().filter_map(|entry| moment(&entry.key)).collect())
    }

    /// The latest snapshot, or the latest that was taken at `until` or before.
    pub(super) async fn latest<T: DeserializeOwned>(&self, until: Option<Millis>) -> Result<Option<T>, ArchiveError> {
        let moments = self.moments().await?;
        let moment = moments.into_iter().rfind(|moment| until.is_none_or(|until| *moment <= until));
        match moment {
            Some(moment) => self.read(moment).await,
            None => Ok(None),
        }
    }

    /// The snapshot of that moment.
    pub(super) async fn read<T: DeserializeOwned>(&self, moment: Millis) -> Result<Option<T>, ArchiveError> {
        Ok(control::read(self.objects, &self.key(moment)).await?.map(|stored| stored.value))
    }

    /// Stores a snapshot; false where there is one of that moment.
    pub(super) async fn store<T: Serialize>(&self, moment: Millis, snapshot: &T) -> Result<bool, ArchiveError> {
        Ok(control::compare_and_set(self.objects, &self.key(moment), None, snapshot).await?.is_some())
    }

    /// Deletes those of `moments` that are more than anybody needs.
    pub(super) async fn thin(&self, moments: &[Millis], now: Millis) -> Result<(), ArchiveError> {
        let keys: Vec<_> = superfluous(moments, now).map(|moment| self.key(moment)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        Ok(self.objects.delete_all(&keys).await?)
    }

    fn key(&self, moment: Millis) -> String {
        format!("{}{:020}{SUFFIX}", self.folder, moment.0)
    }
}

/// Which snapshots go: all stay for an hour, then the last of each hour for a week, then the last of each day. The very last
/// stays in any case.
fn superfluous(moments: &[Millis], now: Millis) -> impl Iterator<Item = Millis> {
    let mut kept: BTreeMap<(i64, i64), Millis> = BTreeMap::new();
    let mut gone = vec![];
    for moment in moments {
        let age = now.0.saturating_sub(moment.0);
        let span = if age < HOUR_MS {
            1
        } else if age < 7 * DAY_MS {
            HOUR_MS
        } else {
            DAY_MS
        };
        gone.extend(kept.insert((span, moment.0.div_euclid(span)), *moment));
    }
    gone.into_iter()
}

/// A name that may have any characters as part of a key. A leading point is written out too: `.` and `..` mean something to file systems.
pub(super) fn encode(name: &str) -> String {
    let plain = |at: usize, byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (byte == b'.' && at > 0);
    let sign = |(at, byte): (usize, u8)| {
        if plain(at, byte) { char::from(byte).to_string() } else { format!("={byte:02X}") }
    };
    name.bytes().enumerate().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_become_fewer_with_age_and_the_last_stays() {
        let now = Millis(100 * DAY_MS);
        let minutes = |from: i64, count: i64| (0..count).map(move |n| Millis(from + n * 60_000));
        let young = minutes(now.0 - HOUR_MS + 60_000, 50);
        assert_eq!(superfluous(&young.collect::<Vec<_>>(), now).count(), 0, "all of the last hour");
        let day: Vec<_> = minutes(now.0 - 2 * DAY_MS, 24 * 60).collect();
        assert_eq!(day.len() - superfluous(&day, now).count(), 24, "one of each hour");
        assert!(
            !superfluous(&day, now).any(|gone| gone == day[59] || gone == *day.last().unwrap()),
            "the last of them"
        );
        let old: Vec<_> = minutes(now.0 - 20 * DAY_MS, 3 * 24 * 60).collect();
        assert_eq!(old.len() - superfluous(&old, now).count(), 3, "one of each day");
    }
}
