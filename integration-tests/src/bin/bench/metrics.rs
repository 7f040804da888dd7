//! Measures the counting path: messages that lie on the metrics topic of a real Kafka, drained, folded and applied to a
//! real Redis; and, without Kafka, folding and applying alone. 10 locations, 3 intervals, a tenth of the messages standings
//! over 1,000 partitions. Median of 5 rounds, each into an empty Redis.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use integration_tests::{
    counting::{self, Aggregator},
    kafka::Kafka,
    kafka_producer::NewRecord,
    redis_server::{Database, RedisServer},
};
use metrics_consumer::{Input, handle};
use shared::{
    adapters::system_clock::SystemClock,
    chain::{ChainDigest, ChainIdentity, Marks, Totals},
    job::State,
    metrics::{
        backbeat::keys::Windows,
        fold,
        part::{Outcome, Part, Place},
        standing::{Job, Message, Standing},
    },
    ports::{clock::Clock as _, store::Store as _},
    record::{Millis, Offset, Partition, Record, TimestampType, TopicId},
};

use crate::usage::Usage;

const ROUNDS: usize = 5;
const PARTITIONS: i32 = 4;
const LOCATIONS: usize = 10;
const INTERVALS: i64 = 3;
const BACKED_UP_PARTITIONS: usize = 1_000;
/// Messages of one batch where no Kafka decides it.
const BATCH: usize = 10_000;
/// So many are handed to the producer at once.
const CHUNK: usize = 50_000;

/// What a round took.
struct Round {
    elapsed: Duration,
    parts: usize,
    used: Usage,
}

/// Measures both.
pub async fn run(events: usize) {
    let redis = RedisServer::shared().await;
    report(
        "folded and applied",
        events,
        &rounds(async |n| fold_and_apply(&redis.new_database(), events, n).await).await,
    );

    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("bench-metrics", PARTITIONS, &[]).await;
    for first in (0..events).step_by(CHUNK) {
        let messages =
            (first..events.min(first + CHUNK)).map(|n| NewRecord::new(message(n, SystemClock.now()))).collect();
        kafka.produce(&topic, messages).await;
    }
    report("from kafka into redis", events, &rounds(async |_| drain(kafka, &topic, &redis.new_database()).await).await);
}

async fn rounds(run: impl AsyncFn(usize) -> Round) -> Vec<Round> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for n in 0..ROUNDS {
        rounds.push(run(n).await);
    }
    rounds.sort_by_key(|round| round.elapsed);
    rounds
}

fn report(what: &str, events: usize, rounds: &[Round]) {
    let per_second = |round: &Round| events as f64 / round.elapsed.as_secs_f64();
    let median = &rounds[rounds.len() / 2];
    println!(
        "{what}: {:.0} events/s (median of {}; {:.0} to {:.0}), {}, {} parts for {events} events, {:.6} per event",
        per_second(median),
        rounds.len(),
        rounds.last().map_or(0.0, per_second),
        rounds.first().map_or(0.0, per_second),
        median.used.per(events, "event"),
        median.parts,
        median.parts as f64 / events as f64,
    );
}

async fn drain(kafka: &Kafka, topic: &str, database: &Database) -> Round {
    let (context, aggregator) = counting::on_servers(kafka, topic, database).await;
    let (before, since) = (Usage::of(database).await, Instant::now());
    let report = handle(Input::Drain, &context).await.expect("the topic is counted");
    let (elapsed, used) = (since.elapsed(), Usage::of(database).await.since(before));
    assert!(report.counted.iter().all(|counted| counted.position.is_some()), "{report:?}");
    check(database).await;
    Round { elapsed, parts: aggregator.calls(), used }
}

async fn fold_and_apply(database: &Database, events: usize, round: usize) -> Round {
    let place = Place { topic_id: TopicId::from(format!("bench-{round}").as_str()), partition: Partition(0) };
    let now = SystemClock.now();
    let records: Vec<Record> = (0..events).map(|n| record(n, now)).collect();
    let store = Arc::new(counting::store(database));
    store.check().await.expect("the bench's redis answers");
    let aggregator = Aggregator::on(store);
    let (before, since, mut from) = (Usage::of(database).await, Instant::now(), None);
    for batch in records.chunks(BATCH) {
        for part in fold::fold(&place, from, batch, Windows::default()) {
            from = Some(apply(&aggregator, part).await);
        }
    }
    let (elapsed, used) = (since.elapsed(), Usage::of(database).await.since(before));
    check(database).await;
    Round { elapsed, parts: aggregator.calls(), used }
}

async fn apply(aggregator: &Aggregator, part: Part) -> Offset {
    use shared::ports::invoker::Invoker as _;
    let payload = serde_json::to_value(&part).expect("a part is valid JSON");
    let answer = aggregator.invoke(metrics_aggregator::NAME, payload).await.expect("the part is applied");
    match serde_json::from_value(answer).expect("an outcome") {
        Outcome::Done { position } => position,
        Outcome::Elsewhere { position } => panic!("the store stands at {position:?}"),
    }
}

/// A figure that only counting everything once gives: as many are queued as completed, in every location.
async fn check(database: &Database) {
    let store = counting::store(database);
    for location in 0..LOCATIONS {
        let key = format!("location{location}:bb:crr:opspending");
        assert_eq!(counting::counter(&store, &key).await, 0, "{key}");
    }
    let heads = shared::metrics::registers::RegisterKind::Heads.key("main");
    let read = store.read(&[shared::ports::store::Query::Registers(heads)]).await.expect("registers are read");
    let [shared::ports::store::Value::Registers(heads)] = &read[..] else { panic!("registers, not {read:?}") };
    assert!(heads.len() <= BACKED_UP_PARTITIONS && !heads.is_empty());
}

fn record(n: usize, now: Millis) -> Record {
    let value = Some(message(n, now));
    Record {
        offset: Offset(n as i64),
        timestamp: now,
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value,
        headers: vec![],
    }
}

/// Of ten messages one is a standing; of the others every second completes what the one before it queued.
fn message(n: usize, now: Millis) -> Bytes {
    let (tenth, of_ten) = (n / 10, n % 10);
    if of_ten == 9 {
        return standing(tenth, now);
    }
    // Nine a ten, alternating across tens: the number of crr messages before this one decides.
    let crr = tenth * 9 + of_ten;
    let (pair, kind) = (crr / 2, if crr % 2 == 0 { "queued" } else { "completed" });
    let timestamp = now.0 - (pair as i64 % INTERVALS) * 300_000;
    let location = pair % LOCATIONS;
    format!(
        r#"{{"timestamp":{timestamp},"ops":1,"bytes":1024,"extension":"crr","type":"{kind}","site":"location{location}"}}"#
    )
    .into()
}

/// What a segment of one of the backed up partitions says: each the next one of its chain.
fn standing(n: usize, now: Millis) -> Bytes {
    let (chain, segments) = ((n % BACKED_UP_PARTITIONS) as i32, (n / BACKED_UP_PARTITIONS) as u64 + 1);
    let next = Offset(segments as i64 * 1_000);
    let records = segments * 1_000;
    let totals =
        Totals { records, record_bytes: records * 1_024, segments, stored_bytes: records * 512, ..Totals::default() };
    let job = Job {
        state: State::STREAMING,
        attempt: 0,
        since: now,
        expires: Some(Millis(now.0 + 45_000)),
        position: next,
        diverged_from: None,
        owner_epoch: 1,
        sequence: segments,
    };
    let topic: Arc<str> = format!("topic{}", chain / 10).into();
    let identity = ChainIdentity {
        cluster_id: "bench".to_owned(),
        backup: "main".to_owned(),
        topic: topic.clone(),
        topic_id: "bench".into(),
        incarnation: 1,
        partition: Partition(chain % 10),
    };
    let standing = Standing {
        timestamp: now,
        backup: "main".into(),
        topic,
        topic_id: identity.topic_id.clone(),
        incarnation: 1,
        partition: identity.partition,
        start: Offset(0),
        next,
        totals,
        totals_before_start: Totals::default(),
        digest: ChainDigest::start(&identity),
        marks: Marks::default(),
        job: Some(job),
    };
    Message::Standing(standing).encode().value.expect("a standing has a value")
}
