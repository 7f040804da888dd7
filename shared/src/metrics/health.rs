//! What Backbeat's route `healthcheck` answers: the topics with their partitions, and the connections. Beyond the original it
//! tells of the storage, and which locations are behind.
//!
//! metrics-query has no connection to Kafka or the storage. lag-monitor looks at each refresh and leaves in the store what it saw,
//! so the answer is at most a refresh old. Where nothing was left for three refreshes, the one or the other counts as not reached.
//! The connection to Redis is the one that the question itself went over. A location is behind when an object has been missing
//! there for a quarter of an hour: that is no lost connection of ours, so the answer is good all the same.
//!
//! ```text
//! key    hw1:health    field  kafka    order  time of the look    value  the topics
//!                      field  storage  order  time of the look
//! ```

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    ports::{
        records::TopicLayout,
        store::{Operation, Register},
    },
    record::Millis,
};

/// The hash that holds what was seen.
pub const KEY: &str = "hw1:health";
const KAFKA: &str = "kafka";
const STORAGE: &str = "storage";
/// A location that lacks an object for longer is behind, as S3 replication counts it.
const BEHIND_MS: i64 = 15 * 60 * 1_000;
/// After so many refreshes without a look nothing is known.
const REFRESHES_MAX: u32 = 3;

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    topics: BTreeMap<String, TopicLayout>,
    internal_connections: BTreeMap<&'static str, Connection>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    locations: BTreeMap<String, Location>,
}

/// A location of replication.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    status: &'static str,
    /// When that object was asked for which the location lacks for longest.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_since: Option<Millis>,
}

/// A connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<Millis>,
}

/// Keeps what was seen of our own topics at `now`.
///
/// # Panics
/// Never: names and numbers are valid JSON.
#[must_use]
pub fn seen(topics: &[TopicLayout], now: Millis) -> Operation {
    let value = serde_json::to_string(topics).expect("names and numbers are valid JSON");
    Operation::Max { key: KEY.to_owned(), field: KAFKA.to_owned(), order: vec![now.0.unsigned_abs()], value }
}

/// Keeps that the storage answered at `now`.
#[must_use]
pub fn storage_seen(now: Millis) -> Operation {
    let order = vec![now.0.unsigned_abs()];
    Operation::Max { key: KEY.to_owned(), field: STORAGE.to_owned(), order, value: String::new() }
}

impl Health {
    /// By what stands at [`KEY`], `None` where the store did not answer. `refresh`: how often Kafka and the storage are looked at;
    /// `None` where there is no Kafka.
    #[must_use]
    pub fn of(held: Option<&[Register]>, refresh: Option<Duration>, now: Millis) -> Self {
        let redis = Connection { status: status(held.is_some()), observed_at: None };
        let internal_connections = BTreeMap::from([("redis", redis)]);
        let mut health = Health { topics: BTreeMap::new(), internal_connections, locations: BTreeMap::new() };
        if let Some(refresh) = refresh {
            let held = held.unwrap_or_default();
            let oldest = now.0.saturating_sub(i64::try_from((refresh * REFRESHES_MAX).as_millis()).unwrap_or(i64::MAX));
            if let Some(register) = health.look_at(KAFKA, held, oldest) {
                let topics: Vec<TopicLayout> = serde_json::from_str(&register.value).unwrap_or_default();
                health.topics = topics.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
            }
            health.look_at(STORAGE, held, oldest);
        }
        health
    }

    /// Answers what was seen of a connection, if that is not too old.
    fn look_at<'a>(&mut self, name: &'static str, held: &'a [Register], oldest: i64) -> Option<&'a Register> {
        let register = held.iter().find(|register| register.field == name);
        let observed_at = register.and_then(|it| i64::try_from(*it.order.first()?).ok()).map(Millis);
        let is_reached = observed_at.is_some_and(|at| at.0 >= oldest);
        self.internal_connections.insert(name, Connection { status: status(is_reached), observed_at });
        register.filter(|_| is_reached)
    }

    /// Tells of a location, which lacks an object since then.
    pub fn add_location(&mut self, name: &str, missing_since: Option<Millis>, now: Millis) {
        let is_behind = missing_since.is_some_and(|since| now.0.saturating_sub(since.0) > BEHIND_MS);
        let status = if is_behind { "behind" } else { "ok" };
        self.locations.insert(name.to_owned(), Location { status, missing_since });
    }

    /// Whether every connection is there.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.internal_connections.values().all(|connection| connection.status == status(true))
    }
}

fn status(is_good: bool) -> &'static str {
    if is_good { "ok" } else { "error" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::records::PartitionLayout;

    const REFRESH: Duration = Duration::from_secs(15);

    fn held(at: Millis) -> Vec<Register> {
        let partition = PartitionLayout { id: 0, leader: 1, replicas: vec![1, 2], isrs: vec![1] };
        let layout = TopicLayout { name: "backbeat-metrics".into(), partitions: vec![partition] };
        let register = |operation| match operation {
            Operation::Max { field, order, value, .. } => Register { field, order, value },
            other => panic!("{other:?}"),
        };
        vec![register(seen(&[layout], at)), register(storage_seen(at))]
    }

    #[test]
    fn topics_and_connections_are_told_as_the_original_does() {
        let health = Health::of(Some(&held(Millis(1_000))), Some(REFRESH), Millis(46_000));
        let expected = r#"{"topics":{"backbeat-metrics":{"name":"backbeat-metrics","partitions":[{"id":0,"leader":1,"replicas":[1,2],"isrs":[1]}]}},"internalConnections":{"kafka":{"status":"ok","observedAt":1000},"redis":{"status":"ok"},"storage":{"status":"ok","observedAt":1000}}}"#;
        assert_eq!(serde_json::to_string(&health).unwrap(), expected);
        assert!(health.is_good());
    }

    #[test]
    fn kafka_counts_as_lost_when_nobody_reached_it_for_three_refreshes_and_its_topics_are_not_told_any_more() {
        let health = Health::of(Some(&held(Millis(1_000))), Some(REFRESH), Millis(46_001));
        let expected = r#"{"topics":{},"internalConnections":{"kafka":{"status":"error","observedAt":1000},"redis":{"status":"ok"},"storage":{"status":"error","observedAt":1000}}}"#;
        assert_eq!(serde_json::to_string(&health).unwrap(), expected);
        assert!(!health.is_good());
        assert!(!Health::of(Some(&[]), Some(REFRESH), Millis(0)).is_good(), "nobody ever looked");
    }

    #[test]
    fn a_storage_that_nobody_reached_is_told_and_kafka_is_well_all_the_same() {
        let health = Health::of(Some(&held(Millis(1_000))[..1]), Some(REFRESH), Millis(46_000));
        let json = serde_json::to_string(&health).unwrap();
        assert!(
            json.contains(r#""kafka":{"status":"ok""#) && json.contains(r#""storage":{"status":"error"}"#),
            "{json}"
        );
        assert!(!health.is_good());
    }

    #[test]
    fn a_location_is_behind_when_it_lacks_an_object_for_a_quarter_of_an_hour() {
        let now = Millis(2_000_000);
        let mut health = Health::of(Some(&held(now)), Some(REFRESH), now);
        for (name, since) in
            [("a", None), ("b", Some(Millis(now.0 - BEHIND_MS))), ("c", Some(Millis(now.0 - BEHIND_MS - 1)))]
        {
            health.add_location(name, since, now);
        }
        let json = serde_json::to_string(&health).unwrap();
        let expected = r#""locations":{"a":{"status":"ok"},"b":{"status":"ok","missingSince":1100000},"c":{"status":"behind","missingSince":1099999}}}"#;
        assert!(json.ends_with(expected), "{json}");
        assert!(health.is_good());
    }

    #[test]
    fn without_kafka_there_is_redis_alone_and_its_silence_is_an_error() {
        let alone = Health::of(Some(&[]), None, Millis(0));
        assert_eq!(
            serde_json::to_string(&alone).unwrap(),
            r#"{"topics":{},"internalConnections":{"redis":{"status":"ok"}}}"#
        );
        assert!(!Health::of(None, None, Millis(0)).is_good());
    }
}
