//! Kafka, Redis or S3 go away under `highwater serve` and come back, or Redis forgets everything: nothing is lost, what
//! is known is shown, what is not is 503, and nobody has to do anything.

use std::time::{Duration, Instant};

use integration_tests::{
    agreement::{assert_exactly_once, assert_nothing_lost_and_the_meter_agrees, figures},
    eventually::eventually,
    gate::Gate,
    kafka::Kafka,
    load::Load,
    redis_server::RedisServer,
    s3_server::S3Server,
    serving::{Served, Serving},
};

const TOLD_WITHIN: Duration = Duration::from_secs(1);
const NOTICED_WITHIN: Duration = Duration::from_secs(60);
/// A wait between two attempts that was begun before the service came back.
const RECOVERED_WITHIN: Duration = Duration::from_secs(90);
const REFRESH: Duration = Duration::from_secs(4);

async fn produced(load: &Load, least: usize) {
    eventually(&format!("{least} records to be produced"), NOTICED_WITHIN, || async {
        let records = load.records();
        if records >= least { Ok(()) } else { Err(format!("{records} so far")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_wiped_is_503_and_then_true_again_within_two_refreshes() {
    let (kafka, redis) = (Kafka::start().await, RedisServer::start().await);
    let mut serving = Serving::new("wiped", &kafka, &redis.new_database().url).await;
    serving.refresh = REFRESH;
    let load = Load::start(&kafka, &serving, 1).await;
    let served = serving.serve().await;
    produced(&load, 3_000).await;
    let produced = load.end().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    let truth = figures(&serving, &produced, &assert_exactly_once(&serving, &produced).await);

    redis.wipe_all().await;
    let wiped_at = Instant::now();
    let first = served.metrics("/metrics").await.expect("an answer");
    assert!(first.status == 503 && first.body.contains("rebuilding"), "{} {}", first.status, first.body);
    let (healed_after, query) = loop {
        match served.pending().await {
            Ok(pending) => {
                assert_eq!(pending, (produced.pending_ops, produced.pending_bytes), "an answer that is not true")
            }
            Err(refusal) => assert!(refusal.starts_with("503"), "{refusal}"),
        }
        let asked_at = Instant::now();
        match served.series().await {
            Ok(series) => {
                let wrong: Vec<_> = truth.iter().filter(|(name, value)| series.get(*name) != Some(*value)).collect();
                assert!(wrong.is_empty(), "an answer that is not true: expected {wrong:?} in {series:?}");
                break (wiped_at.elapsed(), asked_at.elapsed());
            }
            Err(refusal) => assert!(refusal.starts_with("503"), "{refusal}"),
        }
        assert!(wiped_at.elapsed() < NOTICED_WITHIN, "not rebuilt after {NOTICED_WITHIN:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    };
    println!("true again after {healed_after:?}; a refresh is every {REFRESH:?}");
    assert!(healed_after <= 2 * REFRESH + query, "true again only after {healed_after:?}");
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    served.end().await;
}

/// The state of the topic's job, and whether nobody renews it.
async fn state(serving: &Serving, served: &Served) -> Result<(f64, bool), String> {
    let series = served.series().await?;
    let of_topic = |name: &str| series.get(&format!("{name}{{topic={:?}}}", serving.topic)).copied();
    let (state, stale) = (of_topic("backup_state"), of_topic("highwater_job_stale"));
    Ok((state.ok_or("no backup_state")?, stale.ok_or("no highwater_job_stale")? == 1.0))
}

fn is_backoff(state: f64) -> bool {
    (300.0..400.0).contains(&state)
}

async fn streams(serving: &Serving, served: &Served) {
    eventually("the job to stream again", RECOVERED_WITHIN, || async {
        let found = state(serving, served).await?;
        let said = || served.process.output().join("\n");
        if found == (100.0, false) { Ok(()) } else { Err(format!("(state, stale) is {found:?}; {}", said())) }
    })
    .await;
}

/// Both ports answer 503 within a second.
async fn refuses_in_time(served: &Served) {
    for _ in 0..3 {
        let since = Instant::now();
        let metrics = served.metrics("/metrics").await.expect("an answer");
        assert!(metrics.status == 503 && since.elapsed() < TOLD_WITHIN, "{metrics:?} after {:?}", since.elapsed());
        let since = Instant::now();
        let figures = served.replication("pending").await.expect("an answer");
        assert!(figures.status == 503 && since.elapsed() < TOLD_WITHIN, "{figures:?} after {:?}", since.elapsed());
    }
    assert_eq!(served.metrics("/healthz").await.expect("an answer").status, 200);
}

async fn without_redis(redis: &RedisServer, gate: &Gate, serving: &Serving, served: &Served) {
    gate.shut();
    refuses_in_time(served).await;
    gate.open();
    streams(serving, served).await;
    redis.pause();
    refuses_in_time(served).await;
    redis.unpause();
    streams(serving, served).await;
}

/// The state is shown, and goes on being shown for longer than a word about it holds.
async fn without_s3(gate: &Gate, serving: &Serving, served: &Served) {
    gate.shut();
    eventually("the state to be backoff", NOTICED_WITHIN, || async {
        let (state, _) = state(serving, served).await?;
        if is_backoff(state) { Ok(()) } else { Err(format!("it is {state}")) }
    })
    .await;
    let since = Instant::now();
    while since.elapsed() < 4 * REFRESH {
        let (state, stale) = state(serving, served).await.expect("metrics do not need S3");
        assert!(is_backoff(state) && !stale, "{state}, stale: {stale}, after {:?}", since.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    gate.open();
    streams(serving, served).await;
    whose_trouble_it_is_is_told(serving, served);
}

/// A log line tells of which function, backup, topic and partition it is.
fn whose_trouble_it_is_is_told(serving: &Serving, served: &Served) {
    let (backup, topic) = (&serving.backup, &serving.topic);
    let output = served.process.output();
    for spans in [
        format!("function{{name=\"lag-monitor\"}}:refresh{{backup={backup:?}}}"),
        format!("lane{{backup={backup:?} topic={topic:?} partition=0}}"),
    ] {
        assert!(output.iter().any(|line| line.contains(&spans)), "no line of {spans} in {}", output.join("\n"));
    }
}

/// What is said travels through Kafka: without it nobody says anything, which is shown too.
async fn without_kafka(kafka: &Kafka, serving: &Serving, served: &mut Served) {
    kafka.pause();
    eventually("the silence to be shown", NOTICED_WITHIN, || async {
        let found = state(serving, served).await?;
        if found == (0.0, true) { Ok(()) } else { Err(format!("(state, stale) is {found:?}")) }
    })
    .await;
    assert!(served.process.is_running());
    kafka.unpause().await;
    streams(serving, served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_s3_and_kafka_go_away_under_load_and_come_back_and_nothing_is_lost() {
    let (kafka, redis) = (Kafka::start().await, RedisServer::start().await);
    let redis_gate = Gate::in_front_of(redis.address()).await;
    let s3 = S3Server::shared().await.endpoint_url().trim_start_matches("http://");
    let s3_gate = Gate::in_front_of(s3).await;
    let mut serving = Serving::new("faults", &kafka, &format!("redis://{}/0", redis_gate.address())).await;
    (serving.refresh, serving.s3_url) = (REFRESH, format!("http://{}", s3_gate.address()));
    let load = Load::start(&kafka, &serving, 2).await;
    let mut served = serving.serve().await;
    streams(&serving, &served).await;

    without_redis(&redis, &redis_gate, &serving, &served).await;
    without_s3(&s3_gate, &serving, &served).await;
    without_kafka(&kafka, &serving, &mut served).await;

    let before = load.records();
    produced(&load, before + 1_000).await;
    let produced = load.end().await;
    assert_nothing_lost_and_the_meter_agrees(&serving, &served, &produced).await;
    println!("{} records exactly once", produced.records.len());
    served.end().await;
}
