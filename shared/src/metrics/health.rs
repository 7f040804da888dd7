//! What Backbeat's route `healthcheck` answers: the topics with their partitions, and the connections.
//!
//! metrics-query has no connection to Kafka. lag-monitor looks at each refresh and leaves in the store what it saw, so the answer
//! is at most a refresh old. Where nothing was left for three refreshes, Kafka counts as not reached. The connection to Redis is
//! the one that the question itself went over.
//!
//! ```text
//! key    hw1:health    field  kafka    order  time of the look    value  the topics
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
/// After so many refreshes without a look nothing is known.
const REFRESHES_MAX: u32 = 3;

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    topics: BTreeMap<String, TopicLayout>,
    internal_connections: BTreeMap<&'static str, Connection>,
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

impl Health {
    /// By what stands at [`KEY`], `None` where the store did not answer. `refresh`: how often Kafka is looked at; `None` where
    /// there is none.
    #[must_use]
    pub fn of(held: Option<&[Register]>, refresh: Option<Duration>, now: Millis) -> Self {
        let redis = Connection { status: status(held.is_some()), observed_at: None };
        let mut health = Health { topics: BTreeMap::new(), internal_connections: BTreeMap::from([("redis", redis)]) };
        if let Some(refresh) = refresh {
            health.look_at_kafka(held.unwrap_or_default(), refresh, now);
        }
        health
    }

    fn look_at_kafka(&mut self, held: &[Register], refresh: Duration, now: Millis) {
        let register = held.iter().find(|register| register.field == KAFKA);
        let observed_at = register.and_then(|it| i64::try_from(*it.order.first()?).ok()).map(Millis);
        let oldest = now.0.saturating_sub(i64::try_from((refresh * REFRESHES_MAX).as_millis()).unwrap_or(i64::MAX));
        let is_reached = observed_at.is_some_and(|at| at.0 >= oldest);
        if let Some(register) = register.filter(|_| is_reached) {
            let topics: Vec<TopicLayout> = serde_json::from_str(&register.value).unwrap_or_default();
            self.topics = topics.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
        }
        self.internal_connections.insert(KAFKA, Connection { status: status(is_reached), observed_at });
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
        let Operation::Max { field, order, value, .. } = seen(&[layout], at) else { panic!("a register") };
        vec![Register { field, order, value }]
    }

    #[test]
    fn topics_and_connections_are_told_as_the_original_does() {
        let health = Health::of(Some(&held(Millis(1_000))), Some(REFRESH), Millis(46_000));
        let expected = r#"{"topics":{"backbeat-metrics":{"name":"backbeat-metrics","partitions":[{"id":0,"leader":1,"replicas":[1,2],"isrs":[1]}]}},"internalConnections":{"kafka":{"status":"ok","observedAt":1000},"redis":{"status":"ok"}}}"#;
        assert_eq!(serde_json::to_string(&health).unwrap(), expected);
        assert!(health.is_good());
    }

    #[test]
    fn kafka_counts_as_lost_when_nobody_reached_it_for_three_refreshes_and_its_topics_are_not_told_any_more() {
        let health = Health::of(Some(&held(Millis(1_000))), Some(REFRESH), Millis(46_001));
        let expected = r#"{"topics":{},"internalConnections":{"kafka":{"status":"error","observedAt":1000},"redis":{"status":"ok"}}}"#;
        assert_eq!(serde_json::to_string(&health).unwrap(), expected);
        assert!(!health.is_good());
        assert!(!Health::of(Some(&[]), Some(REFRESH), Millis(0)).is_good(), "nobody ever looked");
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
