//! Our own keys in the store, beside Backbeat's: `hw1:<what>:` and the parts as netstrings, so that no name can be read
//! as another.

use super::registers::names::join;
use crate::record::{Partition, TopicId};

/// How far a partition of the metrics topic is counted: `hw1:position:<topic id>,<partition>,`. The offset to come.
#[must_use]
pub fn position(topic_id: &TopicId, partition: Partition) -> String {
    format!("hw1:position:{}", join(&[&topic_id.0, &partition.to_string()]))
}

/// How far the chains of a backup must be in the store before its epoch is complete, by chain; order: the epoch.
/// `hw1:targets:<backup>,`.
#[must_use]
pub fn targets(backup: &str) -> String {
    format!("hw1:targets:{}", join(&[backup]))
}

/// What an operation of replication adds to the figures of its location: `hw1:operation:<location>,<id>,`. Order: attempt, then
/// queued, failed, completed.
#[must_use]
pub fn operation(location: &str, id: &str) -> String {
    format!("hw1:operation:{}", join(&[location, id]))
}

/// What a part of an operation's object adds to the object's figures, part 0 being its whole size:
/// `hw1:operation-part:<location>,<id>,<part>,`. Order: attempt.
#[must_use]
pub fn operation_part(location: &str, id: &str, part: u32) -> String {
    format!("hw1:operation-part:{}", join(&[location, id, &part.to_string()]))
}

/// How many messages of the metrics topic were passed over for this reason: `hw1:rejected:<reason>,`.
#[must_use]
pub fn rejected(reason: &str) -> String {
    format!("hw1:rejected:{}", join(&[reason]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_these() {
        let topic_id = TopicId::from("sbM1x0aBQ0y:6Z");
        assert_eq!(position(&topic_id, Partition(3)), "hw1:position:14:sbM1x0aBQ0y:6Z,1:3,");
        assert_eq!(operation("l", "0a"), "hw1:operation:1:l,2:0a,");
        assert_eq!(operation_part("l", "0a", 12), "hw1:operation-part:1:l,2:0a,2:12,");
        assert_eq!(targets("main"), "hw1:targets:4:main,");
        assert_eq!(rejected("not_json"), "hw1:rejected:8:not_json,");
    }
}
