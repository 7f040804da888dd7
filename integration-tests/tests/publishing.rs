//! A metrics topic whose broker refuses every message: records are backed up all the same, and the figures come to what the
//! storage holds.

use std::time::Duration;

use integration_tests::{
    eventually::eventually, kafka::Kafka, kafka_producer::NewRecord, redis_server::RedisServer, serving::Serving,
};

const WITHIN: Duration = Duration::from_secs(60);

async fn produce(kafka: &Kafka, serving: &Serving, count: usize) {
    let record = || NewRecord::new(vec![b'x'; 20_000]).partition(0);
    kafka.produce(&serving.topic, (0..count).map(|_| record()).collect()).await;
}

async fn stored(serving: &Serving) -> i64 {
    serving.frontiers().await.values().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metrics_topic_that_takes_no_message_stops_neither_backup_nor_serve() {
    let kafka = Kafka::shared().await;
    let url = RedisServer::shared().await.new_database().url;
    let mut serving = Serving::new("refused", kafka, &url).await;
    // No message is that small: the broker refuses each, as it refuses one without permission.
    serving.metrics_topic = kafka.new_topic("refused-metrics", 1, &[("max.message.bytes", "1")]).await;

    produce(kafka, &serving, 20).await;
    let backup = serving.run(&["backup"]).await;
    let said = String::from_utf8_lossy(&backup.stderr).into_owned();
    assert!(backup.status.success(), "{said}");
    assert_eq!(said.matches("figures cannot be published").count(), 1, "{said}");
    assert_eq!(stored(&serving).await, 20);

    let served = serving.serve().await;
    produce(kafka, &serving, 20).await;
    let count = format!("backup_sink_records_count{{topic={:?}}}", serving.topic);
    let stale = format!("highwater_job_stale{{topic={:?}}}", serving.topic);
    eventually("the figures to be the storage's", WITHIN, || async {
        let series = served.series().await?;
        let found = (series.get(&count).copied(), series.get(&stale).copied());
        if found == (Some(40.0), Some(1.0)) { Ok(()) } else { Err(format!("(records, stale) are {found:?}")) }
    })
    .await;
    assert_eq!(stored(&serving).await, 40);
    served.end().await;
}
