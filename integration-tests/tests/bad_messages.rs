//! Whatever lies on the metrics topic: it is counted by reason and passed over, and the rest of its batch counts.

use std::{collections::BTreeMap, time::Duration};

use integration_tests::{
    eventually::eventually,
    kafka::Kafka,
    kafka_producer::NewRecord,
    redis_server::RedisServer,
    serving::{LOCATION, Served, Serving},
};

use crate::exposition::{FIXED_BY_KANNIKA, complaints};

const WITHIN: Duration = Duration::from_secs(60);
const SKIPPED: &str = "highwater_metrics_messages_skipped_total";

fn good(ops: i64) -> NewRecord {
    change(&format!(r#""type":"queued","site":"{LOCATION}","ops":{ops},"bytes":{}"#, 10 * ops))
}

fn change(fields: &str) -> NewRecord {
    NewRecord::new(format!(r#"{{"extension":"crr",{fields}}}"#))
}

/// Messages that are none, and the reason that each is counted by.
fn bad() -> Vec<(&'static str, NewRecord)> {
    vec![
        ("tombstone", NewRecord::tombstone("key")),
        ("null", NewRecord::new("null")),
        ("not_json", NewRecord::new("no JSON")),
        ("not_json", NewRecord::new("")),
        ("not_json", NewRecord::new(&b"\xff\xfe"[..])),
        ("not_json", NewRecord::new("[".repeat(1_000_000))),
        ("not_an_object", NewRecord::new("[1]")),
        ("wrong_type", change(r#""type":"queued","site":"site1","ops":"3","bytes":1"#)),
        ("wrong_type", change(r#""type":{"a":1},"site":"site1","ops":3,"bytes":1"#)),
        (
            "missing_field",
            NewRecord::new(r#"{"__proto__":{"extension":"crr","type":"queued","site":"site1","ops":7}}"#),
        ),
        ("unknown_type", change(r#""type":"__proto__","site":"site1","ops":1,"bytes":1"#)),
        ("missing_site", change(r#""type":"queued","ops":1,"bytes":1"#)),
        ("out_of_range", change(r#""type":"queued","site":"site1","ops":-1,"bytes":1"#)),
        (
            "ambiguous",
            change(r#""type":"queued","site":"a:b","bucketName":"b","objectKey":"k","versionId":"v","bytes":1"#),
        ),
        ("malformed", NewRecord::new(r#"{"extension":"backup","type":"standing"}"#)),
        ("unknown_type", NewRecord::new(r#"{"extension":"backup","type":"nonsense"}"#)),
    ]
}

async fn eventually_skipped(served: &Served, expected: &BTreeMap<String, f64>) {
    eventually("every bad message to be counted by its reason", WITHIN, || async {
        let series = served.series().await?;
        let of_reasons = series.iter().filter(|(name, count)| name.starts_with(SKIPPED) && **count > 0.0);
        let found: BTreeMap<_, _> = of_reasons.map(|(name, count)| (name.clone(), *count)).collect();
        if found == *expected { Ok(()) } else { Err(format!("{found:?}, not {expected:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages_are_counted_by_reason_and_the_good_ones_between_them_count() {
    let (kafka, redis) = (Kafka::shared().await, RedisServer::shared().await);
    let serving = Serving::new("bad-messages", kafka, &redis.new_database().url).await;
    let served = serving.serve().await;
    kafka.produce(&serving.topic, vec![NewRecord::new("a record").partition(0)]).await;

    let mut expected: BTreeMap<String, f64> = BTreeMap::new();
    let mut messages = vec![good(1)];
    for (reason, message) in bad() {
        *expected.entry(format!("{SKIPPED}{{reason=\"{reason}\"}}")).or_default() += 1.0;
        messages.extend([message, good(1)]);
    }
    let good_ones = i64::try_from(messages.len() / 2 + 1).expect("few messages");
    let messages = messages.into_iter().map(|message| message.partition(0)).collect();
    kafka.producer(&[("message.max.bytes", "1040000")]).await.send(&serving.metrics_topic, messages).await;

    eventually_skipped(&served, &expected).await;
    assert_eq!(served.pending().await, Ok((good_ones, 10 * good_ones)));

    // What follows counts too.
    kafka.produce(&serving.metrics_topic, vec![good(5).partition(0)]).await;
    eventually("the next message to count", WITHIN, || async {
        let (ops, _) = served.pending().await?;
        if ops == good_ones + 5 { Ok(()) } else { Err(format!("{ops} pending")) }
    })
    .await;
    eventually("promtool to read the running page", WITHIN, || async {
        let page = served.metrics("/metrics").await?;
        let complaints = complaints(&page.body);
        if complaints == FIXED_BY_KANNIKA { Ok(()) } else { Err(format!("{complaints:?} of {}", page.body)) }
    })
    .await;
    served.end().await;
}
