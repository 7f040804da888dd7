//! `./just bench`: what the parts cost, each compared with its like within the same run, because machines are noisy.
//!
//! ```text
//! bench backup  [RECORDS [PARTITIONS]]
//!                            600,000 records of 1 KB, or as many bytes in smaller ones, in 1, 4 and 1,000 partitions, or in so
//!                            many only: a raw drain, backups and their verification, in turn
//! bench idle                 backups that find nothing new
//! bench start [FUNCTION]     new environments of every function on Lambda, or of one: until the first payload is asked for, and
//!                            answered
//! bench metrics [EVENTS]     1,000,000 messages of the metrics topic into Redis
//! bench replication          the next three
//! bench events [EVENTS]      200,000 events with ids into Redis
//! bench questions            questions about figures, with few and with many keys in Redis
//! bench copies               objects from one S3 server to another
//! bench restore [RECORDS]    600,000 records of 1 KB in 4 partitions: a restore and a raw produce, in turn; and the last second
//! bench drain SERVERS TOPIC  the raw drain itself, which `backup` runs as a process of its own
//! bench produce SERVERS FROM TO  the raw produce itself, which `restore` runs as a process of its own
//! ```
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock and its arguments")]

mod backup;
mod drain;
mod idle;
mod measured;
mod metrics;
mod replication;
mod restore;
mod s3;
mod start;
mod usage;

const RECORDS: usize = 600_000;
const EVENTS: usize = 1_000_000;
const EVENTS_WITH_IDS: usize = 200_000;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().unwrap_or_else(|error| panic!("{text:?} is no number: {error}"));
    match arguments[..] {
        ["drain", servers, topic] => drain::run(servers, topic),
        ["produce", servers, from, to] => restore::raw(servers, from, to),
        ["restore"] => restore::run(RECORDS).await,
        ["restore", records] => restore::run(number(records)).await,
        ["backup"] => backup::run(RECORDS, None).await,
        ["backup", records] => backup::run(number(records), None).await,
        ["backup", records, partitions] => backup::run(number(records), Some(number(partitions))).await,
        ["idle"] => idle::run().await,
        ["start"] => start::run(None).await,
        ["start", function] => start::run(Some(function)).await,
        ["metrics"] => metrics::run(EVENTS).await,
        ["metrics", events] => metrics::run(number(events)).await,
        ["replication"] => {
            replication::count(EVENTS_WITH_IDS).await;
            replication::ask().await;
            replication::copy().await;
        }
        ["events"] => replication::count(EVENTS_WITH_IDS).await,
        ["events", events] => replication::count(number(events)).await,
        ["questions"] => replication::ask().await,
        ["copies"] => replication::copy().await,
        _ => panic!(
            "bench {arguments:?} is no measurement: there are `backup [RECORDS [PARTITIONS]]`, `idle`, `start`, `metrics [EVENTS]`, `replication`, `events [EVENTS]`, `questions`, `copies` and `restore [RECORDS]`"
        ),
    }
}
