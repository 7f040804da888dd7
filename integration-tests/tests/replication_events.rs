//! A hundred thousand events, while replicator, consumer and aggregator die one after the other, and Redis goes back to an old
//! snapshot: every operation counts once.

use integration_tests::{
    counting::store, eventually::eventually, kafka::Kafka, kafka_producer::NewRecord, process::Process,
    redis_server::RedisServer, replay, s3_server::S3Server, serving::Served,
};
use shared::{
    adapters::system_clock::SystemClock,
    metrics::{backbeat::keys::Windows, replication::figures::Question},
    ports::{clock::Clock as _, store::Store},
};

use crate::replication::{Replicated, WITHIN};

/// With their attempts 104,000 events, and a seventh of these twice. `soak` sends ten times as many.
const OPERATIONS: u64 = 40_000;
const QUARTERS: u64 = 4;
/// So many are handed to the producer at once.
const CHUNK: u64 = 2_000;
/// Another program's location: nothing replicates there but its events are counted.
const BULK: &str = "bulk";
const RECORDS: i32 = 40;

const REPLICATOR: [&str; 3] = ["serve", "--only", "object-replicator"];
const COUNTING: [&str; 3] = ["serve", "--only", "metrics-consumer,metrics-aggregator"];
const OTHERS: [&str; 2] = ["--only", "segment-writer,lag-monitor,metrics-query"];

/// What happens to an operation: of ten, seven are completed at once, one fails, one fails and is completed then, one stays pending.
fn history(n: u64) -> Vec<NewRecord> {
    let ended: &[(&str, u32)] = match n % 10 {
        0..7 => &[("queued", 1), ("completed", 1)],
        7 => &[("queued", 1), ("failed", 1)],
        8 => &[("queued", 1), ("failed", 1), ("queued", 2), ("completed", 2)],
        _ => &[("queued", 1)],
    };
    let (id, now) = (format!("{n:032x}"), SystemClock.now());
    let event = |(kind, attempt): &(&str, u32)| {
        let text = format!(
            r#"{{"timestamp":{now},"ops":1,"bytes":10,"extension":"crr","type":"{kind}","site":{BULK:?},"operationId":"{id}","attempt":{attempt},"queuedAt":{now}}}"#
        );
        NewRecord::new(text).key(id.clone())
    };
    ended.iter().map(event).collect()
}

/// Some come twice, as they do after a crash.
async fn send(kafka: &Kafka, topic: &str, operations: std::ops::Range<u64>) {
    for first in operations.clone().step_by(CHUNK as usize) {
        let events: Vec<_> = (first..operations.end.min(first + CHUNK)).flat_map(history).collect();
        let again: Vec<_> = events.iter().step_by(7).cloned().collect();
        kafka.produce(topic, events).await;
        kafka.produce(topic, again).await;
    }
}

/// Queued, pending, completed and failed operations, pending bytes, and whether anything waits.
type Figures = (f64, f64, f64, f64, f64, bool);

async fn figures(store: &impl Store) -> Result<Figures, String> {
    let question = Question { windows: Windows::default(), now: SystemClock.now() };
    let answers = store.read(&question.queries(BULK)).await.map_err(|error| error.to_string())?;
    let it = question.figures(&mut answers.into_iter());
    let waits = it.pending_since.is_some() && it.missing_since.is_some();
    Ok((it.queued_ops(), it.pending_ops, it.completed_ops(), it.failed_ops(), it.pending_bytes, waits))
}

/// Waits until more than so many operations are counted.
async fn counted(store: &impl Store, more_than: f64) {
    eventually("some of it to be counted", WITHIN, || async {
        let (queued, ..) = figures(store).await?;
        if queued > more_than { Ok(()) } else { Err(format!("{queued}, not more than {more_than}")) }
    })
    .await;
}

async fn aborted(process: &mut Process) {
    let status = process.ended(WITHIN).await;
    assert!(!status.success(), "{status}: {}", process.output().join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_events_count_once_while_everybody_dies_and_redis_goes_back() {
    let (kafka, location, redis) = (Kafka::start().await, S3Server::start().await, RedisServer::start().await);
    let database = redis.new_database();
    let mut it = Replicated::on(&kafka, &location, "events").await;
    it.serving.redis_url = database.url.clone();
    let (topic, store) = (it.serving.metrics_topic.clone(), store(&database));
    let quarter = OPERATIONS * replay::rounds(1).min(10) / QUARTERS;
    let of_quarters = |n: u64| 1.1 * (n * quarter) as f64;

    let others: Served = it.serving.serve_with(&OTHERS).await;
    let mut replicator = it.serving.start(&REPLICATOR);
    let mut counting = it.serving.start(&COUNTING);
    it.produce(&kafka, RECORDS).await;
    send(&kafka, &topic, 0..quarter).await;
    counted(&store, of_quarters(1) / 2.0).await;
    redis.save().await;

    // The replicator, in the middle of its work.
    it.produce(&kafka, RECORDS).await;
    replicator.kill();
    // The consumer, in the middle of its work.
    send(&kafka, &topic, quarter..2 * quarter).await;
    counted(&store, of_quarters(1)).await;
    counting.kill();
    let mut replicator = it.serving.start_until(&REPLICATOR, "after-copy", 3);

    // The aggregator, when figures are in Redis and nobody was told of it.
    let mut counting = it.serving.start_until(&COUNTING, "after-store", 9);
    send(&kafka, &topic, 2 * quarter..3 * quarter).await;
    aborted(&mut counting).await;
    aborted(&mut replicator).await;

    // Redis, back to the first quarter.
    let (mut replicator, mut counting) = (it.serving.start(&REPLICATOR), it.serving.start(&COUNTING));
    for process in [&replicator, &counting] {
        // A process that starts while Redis is away says so and ends.
        process.printed("highwater serves", WITHIN).await;
    }
    counted(&store, of_quarters(2)).await;
    redis.restart().await;
    send(&kafka, &topic, 3 * quarter..4 * quarter).await;

    let tenth = (QUARTERS * quarter) as f64 / 10.0;
    let expected = (11.0 * tenth, tenth, 8.0 * tenth, 2.0 * tenth, 10.0 * tenth, true);
    eventually("every operation to be counted once", 2 * WITHIN, || async {
        let figures = figures(&store).await?;
        if figures == expected { Ok(()) } else { Err(format!("{figures:?}, not {expected:?}")) }
    })
    .await;
    it.everything_is_there(2 * i64::from(RECORDS)).await;
    it.figures_are_the_statuses(&others).await;
    for process in [&mut replicator, &mut counting] {
        process.interrupt();
        process.ended(WITHIN).await;
    }
    others.end().await;
    it.location_is_a_backup().await;
}
