//! Pins: a reader that works for long holds what it reads, so that it does not expire meanwhile.
//!
//! `<backup>/=pins/<id>.json` says who holds what, and for how long ([`Pin`]). It is in force until its date, which the store
//! sets at every renewal, is `lease_ms` old by the store's time. So no clock of a process is part of the rule.
//!
//! # Why nothing that a pin holds is deleted
//! The reader **writes its pin, then reads the floor**. segment-expirer **moves the floor, then looks at the pins, then
//! deletes** below the floor. Of the two orders one is always seen by the other:
//! - the pin was there when the pins were looked at: what it holds is not deleted, also where the floor had passed it;
//! - it was not: then it was written after the floor had moved, the reader has read that floor, and reads nothing below it.
//!
//! This asks for no waiting; the grace period is for readers without a pin. The pins are also looked at right before the
//! floor moves, so that what is held remains a part of the backup. Only in the moment between may the floor pass a new pin:
//! its reader goes on from the floor that it has read, and finds everything there.
//!
//! # Why an end is an end
//! A reader may stall for longer than its lease. Whoever finds its pin expired replaces it under `If-Match` by one that is
//! revoked, and only then takes it for none. The reader renews under `If-Match` as well: so either the renewal was first,
//! and the pin holds on; or the revocation was, and the reader is told [`ArchiveError::PinLost`] at its next renewal.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{ArchiveError, control};
use crate::{
    chain::{ChainIdentity, keys},
    ports::objects::{ETag, GetRange, ListRequest, Objects},
    record::{Millis, Offset, Partition},
    segment::metadata::FORMAT_VERSION,
};

/// How long a pin is in force without being renewed.
pub const LEASE: Duration = Duration::from_secs(600);
/// A pin is renewed so often within its lease.
const RENEWALS_PER_LEASE: u32 = 4;
/// A damaged pin holds everything for so long.
const UNREADABLE_LEASE_MS: u64 = 24 * 3_600_000;

/// The content of a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The version of this format.
    pub format_version: u32,
    /// Who holds it, for people to read.
    pub who: String,
    /// What it holds; nothing at all here means everything.
    pub holds: Vec<Hold>,
    /// How long it is in force, counted from its object's date.
    pub lease_ms: u64,
    /// How often it was renewed.
    #[serde(default)]
    pub renewed: u64,
    /// It was not renewed in time, and holds nothing any more.
    #[serde(default)]
    pub revoked: bool,
}

/// A part of a backup. What is absent means all there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The topic's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Which topic of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u32>,
    /// The partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// The first offset that is still needed.
    #[serde(default)]
    pub from: Offset,
}

impl Hold {
    /// All of a topic.
    #[must_use]
    pub fn topic(name: &str) -> Self {
        Hold { topic: Some(name.to_owned()), ..Hold::default() }
    }

    fn is_of(&self, chain: &ChainIdentity) -> bool {
        self.topic.as_deref().is_none_or(|topic| *topic == *chain.topic)
            && self.incarnation.is_none_or(|incarnation| incarnation == chain.incarnation)
            && self.partition.is_none_or(|partition| partition == chain.partition)
    }
}

impl Pin {
    /// A pin on these parts of a backup; on everything where there are none.
    #[must_use]
    pub fn new(who: &str, holds: Vec<Hold>) -> Self {
        let lease_ms = u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX);
        Pin { format_version: FORMAT_VERSION, who: who.to_owned(), holds, lease_ms, renewed: 0, revoked: false }
    }

    fn is_in_force(&self, modified: Millis, now: Millis) -> bool {
        let lease_ms = i64::try_from(self.lease_ms).unwrap_or(i64::MAX);
        !self.revoked && now.0 <= modified.0.saturating_add(lease_ms)
    }
}

/// The pins in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins(Vec<Pin>);

impl Pins {
    /// From which offset on a chain is held; `None` where nothing of it is.
    #[must_use]
    pub fn held_from(&self, chain: &ChainIdentity) -> Option<Offset> {
        let of_pin = |pin: &Pin| match pin.holds.is_empty() {
            true => Some(Offset(0)),
            false => pin.holds.iter().filter(|hold| hold.is_of(chain)).map(|hold| hold.from).min(),
        };
        self.0.iter().filter_map(of_pin).min()
    }

    /// Who holds anything.
    pub fn who(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pin| pin.who.as_str())
    }
}

/// The pins of a backup that are in force at `now`, the store's time. The others are revoked, and swept.
pub async fn in_force(objects: &dyn Objects, backup: &str, now: Millis) -> Result<Pins, ArchiveError> {
    let folder = keys::pins_folder(backup);
    let (mut pins, mut after) = (Pins::default(), String::new());
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(&folder) }).await?;
        for entry in page.objects.iter().filter(|entry| keys::parse_pin(&entry.key).is_some()) {
            pins.0.extend(look_at(objects, &entry.key, now).await?);
        }
        match page.next_after {
            Some(next) => after = next,
            None => return Ok(pins),
        }
    }
}

/// The pin, if it is in force.
async fn look_at(objects: &dyn Objects, key: &str, now: Millis) -> Result<Option<Pin>, ArchiveError> {
    let Some((pin, etag, modified)) = read(objects, key).await? else { return Ok(None) };
    if pin.is_in_force(modified, now) {
        return Ok(Some(pin));
    }
    if !pin.revoked {
        let revoked = Pin { revoked: true, ..pin.clone() };
        match control::compare_and_set(objects, key, Some(etag), &revoked).await? {
            Some(_) => tracing::warn!(key, who = pin.who, "a pin was not renewed in time: it holds nothing any more"),
            // It was renewed, or released, or revoked by another: whatever it was, this look takes it to hold.
            None => return Ok(Some(pin)),
        }
    }
    objects.delete(key).await?;
    Ok(None)
}

/// A pin with its tag and its date; a damaged one holds everything.
async fn read(objects: &dyn Objects, key: &str) -> Result<Option<(Pin, ETag, Millis)>, ArchiveError> {
    let Some(object) = objects.get(key, GetRange::Whole).await? else { return Ok(None) };
    let unreadable = || Pin { lease_ms: UNREADABLE_LEASE_MS, ..Pin::new("a pin that cannot be read", vec![]) };
    let pin = match control::parse(key, &object.body) {
        Err(ArchiveError::Damaged { .. }) => unreadable(),
        pin => pin?,
    };
    Ok(Some((pin, object.etag, object.modified)))
}

/// A name for one holder of a pin: two of one process are told apart.
#[must_use]
pub fn holder(id: &str) -> String {
    static HOLDERS: AtomicU64 = AtomicU64::new(1);
    format!("{id}-{}", HOLDERS.fetch_add(1, Ordering::Relaxed))
}

/// A pin of this process.
pub struct Pinned<'a> {
    objects: &'a dyn Objects,
    key: String,
    pin: Pin,
    etag: ETag,
}

impl<'a> Pinned<'a> {
    /// Writes a pin. Only what is read of the backup **after** this is held. `id` is this pin's alone; signs of it that
    /// may not be in a key become `-`.
    pub async fn create(objects: &'a dyn Objects, backup: &str, id: &str, pin: Pin) -> Result<Self, ArchiveError> {
        let plain = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '-' };
        let key = keys::pin(backup, &id.chars().map(plain).collect::<String>());
        let etag = write(objects, &key, &pin, None).await?;
        Ok(Pinned { objects, key, pin, etag })
    }

    /// Holds on for another lease.
    ///
    /// # Errors
    /// [`ArchiveError::PinLost`] when it had expired and somebody has taken it for none.
    pub async fn renew(&mut self) -> Result<(), ArchiveError> {
        let renewed = Pin { renewed: self.pin.renewed + 1, ..self.pin.clone() };
        self.etag = write(self.objects, &self.key, &renewed, Some(self.etag.clone())).await?;
        self.pin = renewed;
        Ok(())
    }

    /// Lets go.
    pub async fn release(self) -> Result<(), ArchiveError> {
        Ok(self.objects.delete(&self.key).await?)
    }

    /// Does `work`, and renews all the while; lets go when it is done.
    ///
    /// # Errors
    /// [`ArchiveError::PinLost`] when the pin was lost on the way: then the work is dropped.
    pub async fn during<T>(mut self, work: impl Future<Output = T>) -> Result<T, ArchiveError> {
        let every = Duration::from_millis(self.pin.lease_ms) / RENEWALS_PER_LEASE;
        tokio::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                () = tokio::time::sleep(every) => {}
            }
            match self.renew().await {
                Ok(()) => {}
                Err(error @ ArchiveError::PinLost { .. }) => return Err(error),
                Err(error) => tracing::warn!(
                    key = self.key,
                    error = &error as &dyn std::error::Error,
                    "pin not renewed; trying again"
                ),
            }
        };
        let key = self.key.clone();
        if let Err(error) = self.release().await {
            tracing::warn!(key, error = &error as &dyn std::error::Error, "pin not released; it ends with its lease");
        }
        Ok(done)
    }
}

/// Writes a pin in place of what was read. Where that is another by now, what is there tells whether one's own retry took effect.
async fn write(objects: &dyn Objects, key: &str, pin: &Pin, from: Option<ETag>) -> Result<ETag, ArchiveError> {
    if let Some(etag) = control::compare_and_set(objects, key, from, pin).await? {
        return Ok(etag);
    }
    match read(objects, key).await? {
        Some((found, etag, _)) if found == *pin => Ok(etag),
        _ => Err(ArchiveError::PinLost { key: key.to_owned() }),
    }
}
