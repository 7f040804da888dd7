//! The sample topics: what a shop would have. Which messages there are, and in which order, is decided by the seed alone.

mod clicks;
mod orders;
mod payments;

use bytes::Bytes;
use rand::{SeedableRng, rngs::StdRng};
use shared::{
    ports::records::Message,
    record::{Header, Millis},
};

/// The location that everything is replicated to.
pub const LOCATION: &str = "us-east-1";

/// A made-up topic.
pub struct Sample {
    /// The topic.
    pub topic: &'static str,
    /// Its partitions.
    pub partitions: u16,
    /// Messages a second.
    pub per_second: u64,
    /// What it is, for people.
    pub what: &'static str,
    /// The message of that number, of that seed, at that time.
    make: fn(u64, &mut StdRng, Millis) -> Message,
}

/// The sample topics of the shop.
pub const SHOP: [Sample; 3] = [
    Sample {
        topic: "orders",
        partitions: 3,
        per_second: 20,
        what: "JSON of about 1 kB by order, with headers; a tombstone for each cancelled order",
        make: orders::message,
    },
    Sample {
        topic: "payments",
        partitions: 2,
        per_second: 15,
        what: "small JSON by order, with a header that may be null",
        make: payments::message,
    },
    Sample {
        topic: "clicks",
        partitions: 4,
        per_second: 100,
        what: "short lines without a key",
        make: clicks::message,
    },
];

impl Sample {
    /// The message of that number, at that time.
    #[must_use]
    pub fn message(&self, seed: u64, number: u64, now: Millis) -> Message {
        // A generator for each message: what one draws does not depend on how many the others drew.
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
        (self.make)(number, &mut random, now)
    }
}

fn text(text: impl Into<String>) -> Option<Bytes> {
    Some(Bytes::from(text.into()))
}

fn header(name: &'static str, value: Option<Bytes>) -> Header {
    Header { name: Bytes::from_static(name.as_bytes()), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn messages(sample: &Sample, seed: u64) -> Vec<Message> {
        (0..1_000).map(|number| sample.message(seed, number, NOW)).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_messages_and_another_one_others() {
        for sample in &SHOP {
            assert_eq!(messages(sample, 7), messages(sample, 7), "{}", sample.topic);
            assert_ne!(messages(sample, 7), messages(sample, 8), "{}", sample.topic);
        }
    }

    #[test]
    fn the_topics_differ_in_size_keys_headers_and_tombstones() {
        let size = |message: &Message| message.value.as_ref().map_or(0, Bytes::len);
        let [orders, payments, clicks] = [0, 1, 2].map(|at| messages(&SHOP[at], 1));
        let mean = |messages: &[Message]| messages.iter().map(size).sum::<usize>() / messages.len();
        assert!((800..1_200).contains(&mean(&orders)) && mean(&payments) < 300 && mean(&clicks) < 120);
        assert!(orders.iter().any(|order| order.value.is_none() && order.key.is_some()));
        assert!(orders.iter().all(|order| !order.headers.is_empty()));
        assert!(payments.iter().any(|payment| payment.headers.iter().any(|header| header.value.is_none())));
        assert!(clicks.iter().all(|click| click.key.is_none() && click.headers.is_empty()));
    }

    #[test]
    fn values_are_json_that_a_reader_understands() {
        for sample in &SHOP[..2] {
            for message in messages(sample, 1) {
                let Some(value) = message.value else { continue };
                let value: serde_json::Value = serde_json::from_slice(&value).unwrap();
                assert!(value["order"].is_string(), "{value}");
            }
        }
    }
}
