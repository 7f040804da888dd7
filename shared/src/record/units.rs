//! Newtypes for the numbers that must not be mixed up.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A place in a partition's log, from 0 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Offset {
    /// The offset after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Offset(self.0.saturating_add(1))
    }
}

/// The number of a partition within its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub i32);

/// Milliseconds since 1970, or a length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

/// Kafka's id of a topic: it changes when a topic is deleted and created again.
/// Opaque text: base64 as Kafka prints it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub Arc<str>);

impl From<&str> for TopicId {
    fn from(text: &str) -> Self {
        TopicId(text.into())
    }
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: Partition,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        TopicPartition { topic: topic.into(), partition: Partition(partition) }
    }
}

/// Kafka's rule for a topic's name.
///
/// # Errors
/// The rule.
pub fn topic_name(name: &str) -> Result<(), &'static str> {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    let fits = (1..=249).contains(&name.len()) && name != "." && name != "..";
    if letters && fits { Ok(()) } else { Err("a topic's name has 1 to 249 letters, digits, ., _ and -") }
}

macro_rules! display_inner {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )+};
}
display_inner!(Offset, Partition, Millis, TopicId);

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
