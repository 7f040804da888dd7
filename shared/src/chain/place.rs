//! What an object of a backup is, by its key alone: the one listing of a whole backup is read with this.

use std::sync::Arc;

use super::keys;
use crate::record::{Offset, Partition};

/// What an object is to its backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The backup's owner.
    Owner,
    /// The claim of an incarnation of this topic.
    Claim(Arc<str>),
    /// A segment of a chain that begins at this offset, of a writer that knew of so many cuts.
    Segment(ChainPlace, Offset, u32),
    /// The floor of a chain.
    Floor(ChainPlace),
    /// The accepted losses of a chain.
    AcceptedLoss(ChainPlace),
    /// Another object of ours: [`keys::CONTROL`].
    Control,
    /// Nothing of ours.
    Foreign,
}

/// Which chain of a backup, as keys have it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChainPlace {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The incarnation.
    pub incarnation: u32,
    /// The partition.
    pub partition: Partition,
}

/// What the object of that key is to the backup of that name.
#[must_use]
pub fn classify(backup: &str, key: &str) -> Place {
    if key == keys::owner(backup) {
        return Place::Owner;
    }
    if keys::is_control(backup, key) {
        return Place::Control;
    }
    let parts: Vec<&str> = key.split('/').collect();
    match parts[..] {
        [_, topic, "=incarnations", _] if key.starts_with(&keys::incarnations_folder(backup, topic)) => {
            keys::parse_incarnation(key).map_or(Place::Foreign, |_| Place::Claim(topic.into()))
        }
        [of, topic, n, partition, _] if of == backup => {
            of_chain(topic, n, partition).map_or(Place::Foreign, |chain| in_chain(chain, key))
        }
        _ => Place::Foreign,
    }
}

fn of_chain(topic: &str, n: &str, partition: &str) -> Option<ChainPlace> {
    let incarnation: u32 = n.parse().ok().filter(|number| *number >= 1)?;
    let partition_number: i32 = partition.parse().ok().filter(|number| *number >= 0)?;
    let plain = incarnation.to_string() == n && partition_number.to_string() == partition && !topic.is_empty();
    plain.then(|| ChainPlace { topic: topic.into(), incarnation, partition: Partition(partition_number) })
}

fn in_chain(chain: ChainPlace, key: &str) -> Place {
    let folder = &key[..=key.rfind('/').unwrap_or(0)];
    match keys::parse(folder, key) {
        keys::ChainKey::Segment(base, cuts) => Place::Segment(chain, base, cuts),
        keys::ChainKey::Floor => Place::Floor(chain),
        keys::ChainKey::AcceptedLoss => Place::AcceptedLoss(chain),
        keys::ChainKey::Foreign => Place::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::ChainIdentity;

    #[test]
    fn every_key_of_ours_is_known_again() {
        let chain = ChainIdentity::example();
        let place = ChainPlace { topic: "orders".into(), incarnation: 1, partition: Partition(0) };
        assert_eq!(classify("main", &keys::owner("main")), Place::Owner);
        assert_eq!(classify("main", &keys::incarnation("main", "orders", 12)), Place::Claim("orders".into()));
        assert_eq!(classify("main", "main/=pins/verify.json"), Place::Control);
        assert_eq!(
            classify("main", &keys::segment(&chain, Offset(408))),
            Place::Segment(place.clone(), Offset(408), 0)
        );
        let behind = keys::segment_behind(&chain, Offset(408), 2);
        assert_eq!(classify("main", &behind), Place::Segment(place.clone(), Offset(408), 2));
        assert_eq!(classify("main", &keys::floor(&chain)), Place::Floor(place.clone()));
        assert_eq!(classify("main", &keys::accepted_loss(&chain)), Place::AcceptedLoss(place));
    }

    #[test]
    fn everything_else_is_foreign() {
        let segment = "00000000000000000408.kan";
        for key in [
            format!("other/orders/1/0/{segment}"),
            format!("main/orders/01/0/{segment}"),
            format!("main/orders/0/0/{segment}"),
            format!("main/orders/1/-1/{segment}"),
            format!("main/orders/1/+1/{segment}"),
            format!("main/orders/1/{segment}"),
            format!("main/orders/1/0/x/{segment}"),
            "main/orders/1/0/note.txt".into(),
            "main/orders/=incarnations/x.json".into(),
            "main/note.txt".into(),
            "main/orders/1/0/".into(),
            String::new(),
        ] {
            assert_eq!(classify("main", &key), Place::Foreign, "{key}");
        }
    }
}
