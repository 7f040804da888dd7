//! The names of a backup's objects.
//!
//! ```text
//! <backup>/=owner.json
//! <backup>/<topic>/=incarnations/<n>.json
//! <backup>/<topic>/<n>/<partition>/<base, 20 digits>.kan
//! <backup>/<topic>/<n>/<partition>/<base, 20 digits>-<cuts>.kan
//! <backup>/<topic>/<n>/<partition>/=accepted-loss.json
//! <backup>/<topic>/<n>/<partition>/=floor.json
//! ```
//! and beside them those of [`CONTROL`]. The longer name is that of a segment whose writer knew of cuts of the chain ([`super::cuts`]),
//! in decimal; without any it is the short one. `=` cannot be in a topic's name, and sorts behind every digit: a listing gives a partition's segments by offset,
//! then its floor.

use super::identity::ChainIdentity;
use crate::record::Offset;

/// The suffix of a segment.
pub const SEGMENT_SUFFIX: &str = ".kan";
const FLOOR_NAME: &str = "=floor.json";
const ACCEPTED_LOSS_NAME: &str = "=accepted-loss.json";
const OFFSET_DIGITS: usize = 20;
/// Stands for the whole backup where a topic's name might stand.
const WHOLE_BACKUP: &str = "=backup";

/// Every object of ours in a backup that is no segment, claim or floor: what its key is below the backup's folder, where `*`
/// stands for one name and `**` at the end for any more. Verification calls everything else foreign.
pub const CONTROL: [&str; 6] = ["=clock.json", "=pins/**", "=pause/**", "=groups/**", "=topics/**", "=restores/*"];

/// Whether a key of a backup is one of [`CONTROL`].
#[must_use]
pub fn is_control(backup: &str, key: &str) -> bool {
    let Some(rest) = key.strip_prefix(&backup_folder(backup)) else { return false };
    CONTROL.iter().any(|pattern| matches(pattern, rest))
}

fn matches(pattern: &str, key: &str) -> bool {
    let (mut pattern, mut key) = (pattern.split('/'), key.split('/'));
    loop {
        match (pattern.next(), key.next()) {
            (Some("**"), Some(rest)) => return !rest.is_empty(),
            (Some("*"), Some(name)) if !name.is_empty() && !name.starts_with('=') => {}
            (Some(expected), Some(name)) if expected == name => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

/// The object that says whose a backup is.
#[must_use]
pub fn owner(backup: &str) -> String {
    format!("{backup}/=owner.json")
}

/// The object that is written to learn the store's time.
#[must_use]
pub fn clock(backup: &str) -> String {
    format!("{backup}/=clock.json")
}

/// The folder of what consumer groups had committed.
#[must_use]
pub fn groups_folder(backup: &str) -> String {
    format!("{backup}/=groups/")
}

/// The folder of how topics were set up.
#[must_use]
pub fn topics_folder(backup: &str) -> String {
    format!("{backup}/=topics/")
}

/// The folder of the restores that are under way.
#[must_use]
pub fn restores_folder(backup: &str) -> String {
    format!("{backup}/=restores/")
}

/// The folder of a backup's pins.
#[must_use]
pub fn pins_folder(backup: &str) -> String {
    format!("{backup}/=pins/")
}

/// The pin of that id.
#[must_use]
pub fn pin(backup: &str, id: &str) -> String {
    format!("{backup}/=pins/{id}.json")
}

/// The id in the key of a pin, if it is one: letters, digits and `-`.
#[must_use]
pub fn parse_pin(key: &str) -> Option<&str> {
    let id = key.rsplit_once('/')?.1.strip_suffix(".json")?;
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_plain.then_some(id)
}

/// The folder of what is paused of a backup.
#[must_use]
pub fn pause_folder(backup: &str) -> String {
    format!("{backup}/=pause/")
}

/// The pause of a backup, or of a topic of it.
#[must_use]
pub fn pause(backup: &str, topic: Option<&str>) -> String {
    format!("{}{}.json", pause_folder(backup), topic.unwrap_or(WHOLE_BACKUP))
}

/// What an object pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused<'k> {
    /// The whole backup.
    Backup,
    /// A topic of it.
    Topic(&'k str),
}

/// What the object of that key in the folder of pauses pauses, if it is one.
#[must_use]
pub fn parse_pause<'k>(folder: &str, key: &'k str) -> Option<Paused<'k>> {
    let name = key.strip_prefix(folder)?.strip_suffix(".json")?;
    match name {
        WHOLE_BACKUP => Some(Paused::Backup),
        _ if name.is_empty() || name.starts_with('=') || name.contains('/') => None,
        _ => Some(Paused::Topic(name)),
    }
}

/// The folder of a backup: its topics are the folders below it.
#[must_use]
pub fn backup_folder(backup: &str) -> String {
    format!("{backup}/")
}

/// The folder of a topic's claimed incarnations.
#[must_use]
pub fn incarnations_folder(backup: &str, topic: &str) -> String {
    format!("{backup}/{topic}/=incarnations/")
}

/// The claim of a topic's incarnation.
#[must_use]
pub fn incarnation(backup: &str, topic: &str, n: u32) -> String {
    format!("{backup}/{topic}/=incarnations/{n}.json")
}

/// The number in the key of a claim, if it is one.
#[must_use]
pub fn parse_incarnation(key: &str) -> Option<u32> {
    let name = key.rsplit_once('/')?.1.strip_suffix(".json")?;
    let n: u32 = name.parse().ok()?;
    (n >= 1 && n.to_string() == name).then_some(n)
}

/// The folder of an incarnation: its partitions are the folders below it.
#[must_use]
pub fn incarnation_folder(backup: &str, topic: &str, n: u32) -> String {
    format!("{backup}/{topic}/{n}/")
}

/// The folder of a chain.
#[must_use]
pub fn chain_folder(chain: &ChainIdentity) -> String {
    format!("{}/{}/{}/{}/", chain.backup, chain.topic, chain.incarnation, chain.partition)
}

/// The segment of a chain that begins at `base`, where it was never cut. It sorts behind all others that begin there.
#[must_use]
pub fn segment(chain: &ChainIdentity, base: Offset) -> String {
    format!("{}{:0width$}{SEGMENT_SUFFIX}", chain_folder(chain), base.0, width = OFFSET_DIGITS)
}

/// The segment of a chain that begins at `base`, of a writer that knows of so many of its cuts.
#[must_use]
pub fn segment_behind(chain: &ChainIdentity, base: Offset, cuts: u32) -> String {
    match cuts {
        0 => segment(chain, base),
        _ => format!("{}-{cuts}{SEGMENT_SUFFIX}", before_segment(chain, base)),
    }
}

/// Where a listing of a chain must begin so that its first segment is the first with a base of `base` or more.
#[must_use]
pub fn before_segment(chain: &ChainIdentity, base: Offset) -> String {
    format!("{}{:0width$}", chain_folder(chain), base.0, width = OFFSET_DIGITS)
}

/// The floor of a chain.
#[must_use]
pub fn floor(chain: &ChainIdentity) -> String {
    floor_in(&chain_folder(chain))
}

/// The same of the chain in this folder.
#[must_use]
pub fn floor_in(folder: &str) -> String {
    format!("{folder}{FLOOR_NAME}")
}

/// The losses of a chain's tail that were accepted.
#[must_use]
pub fn accepted_loss(chain: &ChainIdentity) -> String {
    accepted_loss_in(&chain_folder(chain))
}

/// The same of the chain in this folder.
#[must_use]
pub fn accepted_loss_in(folder: &str) -> String {
    format!("{folder}{ACCEPTED_LOSS_NAME}")
}

/// Whether the object of that key lies behind all segments in a listing of the folder: it is one of ours beside them.
#[must_use]
pub fn is_behind_segments(folder: &str, key: &str) -> bool {
    key.strip_prefix(folder).is_some_and(|name| name.starts_with('='))
}

/// What an object in a chain's folder is, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainKey {
    /// The segment that begins at this offset, of a writer that knew of so many cuts.
    Segment(Offset, u32),
    /// The floor.
    Floor,
    /// The losses of its tail that were accepted.
    AcceptedLoss,
    /// Nothing of ours.
    Foreign,
}

/// What the object of that key is to the chain in `folder` (which ends in `/`).
#[must_use]
pub fn parse(folder: &str, key: &str) -> ChainKey {
    let Some(name) = key.strip_prefix(folder) else { return ChainKey::Foreign };
    if name == FLOOR_NAME {
        return ChainKey::Floor;
    }
    if name == ACCEPTED_LOSS_NAME {
        return ChainKey::AcceptedLoss;
    }
    name.strip_suffix(SEGMENT_SUFFIX).and_then(parse_segment).unwrap_or(ChainKey::Foreign)
}

fn parse_segment(name: &str) -> Option<ChainKey> {
    let (digits, cuts) = match name.split_once('-') {
        Some((digits, cuts)) => (digits, parse_cuts(cuts)?),
        None => (name, 0),
    };
    let is_plain = digits.len() == OFFSET_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    let base = if is_plain { digits.parse().ok()? } else { return None };
    Some(ChainKey::Segment(Offset(base), cuts))
}

/// At least one, and one spelling.
fn parse_cuts(text: &str) -> Option<u32> {
    text.parse().ok().filter(|cuts: &u32| *cuts > 0 && cuts.to_string() == text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_keys_of_a_backup_are_these_and_cannot_move() {
        let chain = ChainIdentity::example();
        assert_eq!(owner("main"), "main/=owner.json");
        assert_eq!(incarnation("main", "orders", 1), "main/orders/=incarnations/1.json");
        assert_eq!(segment(&chain, Offset(408)), "main/orders/1/0/00000000000000000408.kan");
        assert_eq!(segment_behind(&chain, Offset(408), 0), segment(&chain, Offset(408)));
        assert_eq!(segment_behind(&chain, Offset(408), 12), "main/orders/1/0/00000000000000000408-12.kan");
        assert_eq!(floor(&chain), "main/orders/1/0/=floor.json");
        assert_eq!(accepted_loss(&chain), "main/orders/1/0/=accepted-loss.json");
    }

    #[test]
    fn what_only_resembles_a_segment_is_foreign() {
        let folder = chain_folder(&ChainIdentity::example());
        for name in [
            "1.kan",
            "0000000000000000000x.kan",
            "99999999999999999999.kan",
            "00000000000000000408.kan.bak",
            "x",
            "00000000000000000408.KAN",
            "00000000000000000408-0.kan",
            "00000000000000000408-01.kan",
            "00000000000000000408-+1.kan",
            "00000000000000000408-1-1.kan",
            "00000000000000000408-.kan",
        ] {
            assert_eq!(parse(&folder, &format!("{folder}{name}")), ChainKey::Foreign, "{name}");
        }
        assert_eq!(parse(&folder, "other/00000000000000000408.kan"), ChainKey::Foreign);
        assert_eq!(parse(&folder, &floor(&ChainIdentity::example())), ChainKey::Floor);
    }

    #[test]
    fn control_objects_are_known_by_their_names() {
        for key in ["main/=clock.json", "main/=pins/verify-1.json", "main/=pause/all.json"] {
            assert!(is_control("main", key), "{key}");
        }
        for key in
            ["main/=pin/x", "main/=pins/", "main/=pins", "other/=pins/x", "main/orders/=pins/x", "main/=x/=pause/y"]
        {
            assert!(!is_control("main", key), "{key}");
        }
    }

    #[test]
    fn an_incarnation_has_one_spelling() {
        assert_eq!(parse_incarnation("b/t/=incarnations/12.json"), Some(12));
        for key in [
            "b/t/=incarnations/0.json",
            "b/t/=incarnations/01.json",
            "b/t/=incarnations/+1.json",
            "b/t/=incarnations/1.txt",
        ] {
            assert_eq!(parse_incarnation(key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn segments_sort_by_offset_and_before_the_floor(a in 0..i64::MAX, b in 0..i64::MAX, cuts in 1..u32::MAX) {
            let chain = ChainIdentity::example();
            let (key_a, key_b) = (segment(&chain, Offset(a)), segment(&chain, Offset(b)));
            prop_assert_eq!(a.cmp(&b), key_a.cmp(&key_b));
            prop_assert!(key_a < accepted_loss(&chain) && accepted_loss(&chain) < floor(&chain));
            prop_assert!(is_behind_segments(&chain_folder(&chain), &floor(&chain)));
            prop_assert!(!is_behind_segments(&chain_folder(&chain), &key_a));
            prop_assert!(before_segment(&chain, Offset(a)) < key_a);
            prop_assert_eq!(parse(&chain_folder(&chain), &key_a), ChainKey::Segment(Offset(a), 0));
            let behind = segment_behind(&chain, Offset(a), cuts);
            prop_assert_eq!(parse(&chain_folder(&chain), &behind), ChainKey::Segment(Offset(a), cuts));
            prop_assert!(before_segment(&chain, Offset(a)) < behind && behind < key_a);
            prop_assert!(a >= b || behind < segment_behind(&chain, Offset(b), 1));
        }
    }
}
