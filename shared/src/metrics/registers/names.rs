//! How registers are called in the store.
//!
//! ```text
//! key    hw1:<kind>:<backup>,            hw1:heads:4:main,
//! field  <topic>,<n>,<partition>,        6:orders,1:1,1:0,
//! ```
//! Every part is a netstring (its length in bytes, a colon, the bytes, a comma), so that no topic, however it is called,
//! can be read as another.

use crate::record::Partition;

/// The hashes of a backup: a fixed handful, whatever it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegisterKind {
    /// By chain: totals and digest; order steps of accepting losses, `next`.
    Heads,
    /// By chain: totals before the floor; order `start`.
    Floors,
    /// By topic and n: the topic's id; order `n`.
    Incarnations,
    /// By chain: what its owner says; order owner epoch, sequence.
    Jobs,
    /// By topic and partition: log bounds; order the time of observation, log end, log start.
    Ends,
    /// By topic and instance: what it has done; order its time, its count.
    Instances,
    /// By chain: why its end cannot be read in the storage; order the time at which that was found.
    Damaged,
}

impl RegisterKind {
    /// All of them, in the order in which they are read.
    pub const ALL: [RegisterKind; 7] = [
        RegisterKind::Heads,
        RegisterKind::Floors,
        RegisterKind::Incarnations,
        RegisterKind::Jobs,
        RegisterKind::Ends,
        RegisterKind::Instances,
        RegisterKind::Damaged,
    ];

    fn name(self) -> &'static str {
        match self {
            RegisterKind::Heads => "heads",
            RegisterKind::Floors => "floors",
            RegisterKind::Incarnations => "incarnations",
            RegisterKind::Jobs => "jobs",
            RegisterKind::Ends => "ends",
            RegisterKind::Instances => "instances",
            RegisterKind::Damaged => "damaged",
        }
    }

    /// The key of this hash of a backup.
    #[must_use]
    pub fn key(self, backup: &str) -> String {
        key(self.name(), backup)
    }
}

/// A field that every hash of a backup has from the beginning of its epoch on, whose order is the epoch: a hash without it
/// was lost since, alone among the others. No register is called so: their fields are netstrings.
pub const MARK: &str = "=epoch";

/// The key of something a backup has once.
pub(super) fn key(what: &str, backup: &str) -> String {
    format!("hw1:{what}:{}", join(&[backup]))
}

/// The field of a chain's registers.
#[must_use]
pub fn chain_field(topic: &str, n: u32, partition: Partition) -> String {
    join(&[topic, &n.to_string(), &partition.to_string()])
}

/// The field of what a topic has by number or name.
#[must_use]
pub fn topic_field(topic: &str, which: &str) -> String {
    join(&[topic, which])
}

/// The parts as netstrings.
pub(in crate::metrics) fn join(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("{}:{part},", part.len())).collect()
}

/// The parts of a field, if it has exactly `N` and this is how they are joined.
pub(in crate::metrics) fn split<const N: usize>(field: &str) -> Option<[&str; N]> {
    let mut rest = field;
    let mut parts = [""; N];
    for part in &mut parts {
        let (length, tail) = rest.split_once(':')?;
        let length: usize = length.parse().ok()?;
        *part = tail.get(..length)?;
        rest = tail.get(length..)?.strip_prefix(',')?;
    }
    (rest.is_empty() && join(&parts) == field).then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_keys_and_fields_are_these() {
        assert_eq!(RegisterKind::Heads.key("main"), "hw1:heads:4:main,");
        assert_eq!(key("epoch", "main"), "hw1:epoch:4:main,");
        assert_eq!(chain_field("orders", 1, Partition(12)), "6:orders,1:1,2:12,");
    }

    #[test]
    fn what_was_not_joined_like_this_has_no_parts() {
        for field in [
            "",
            "6:orders",
            "6:orders,1:1",
            "7:orders,1:1,",
            "06:orders,1:1,",
            "6:orders,1:1,1:1,",
            "9999999999999999999999:a,1:1,",
            "1:é,1:1,",
        ] {
            assert_eq!(split::<2>(field), None, "{field}");
        }
    }

    proptest! {
        #[test]
        fn every_field_is_read_as_what_it_was_made_of(topic in ".*", n: u32, partition in 0..i32::MAX) {
            let field = chain_field(&topic, n, Partition(partition));
            let expected = [topic.as_str(), &n.to_string(), &partition.to_string()];
            prop_assert_eq!(split::<3>(&field), Some(expected));
        }
    }
}
