//! The servers that all other tests stand on.

use aws_sdk_s3::{error::SdkError, primitives::ByteStream};
use bytes::Bytes;
use integration_tests::{
    kafka::Kafka,
    kafka_producer::{NewRecord, Placed},
    redis_server::RedisServer,
    s3_server::S3Server,
};
use redis::AsyncTypedCommands as _;
use shared::record::{Millis, TimestampType};

#[tokio::test]
async fn kafka_redis_and_s3_answer_in_containers() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("answers", 1, &[]).await;
    let placed = kafka.produce(&topic, vec![NewRecord::new("kafka answers")]).await;
    assert_eq!(placed, [Placed { partition: 0, offset: 0 }]);
    assert_eq!(kafka.read(&topic).await[&0][0].value.as_deref(), Some(b"kafka answers".as_slice()));

    let mut redis = RedisServer::shared().await.new_database().connect().await;
    redis.set("who", "redis answers").await.expect("SET");
    assert_eq!(redis.get("who").await.expect("GET").as_deref(), Some("redis answers"));

    let s3 = S3Server::shared().await;
    let bucket = s3.new_bucket("answers").await;
    assert_eq!(create_object(s3, &bucket).await, 200);
    assert_eq!(create_object(s3, &bucket).await, 412, "the object exists already");
}

/// The HTTP status of a PUT that must not replace an object.
async fn create_object(s3: &S3Server, bucket: &str) -> u16 {
    let put = s3.client().put_object().bucket(bucket).key("who").if_none_match("*");
    match put.body(ByteStream::from_static(b"s3 answers")).send().await {
        Ok(_) => 200,
        Err(SdkError::ServiceError(error)) => error.raw().status().as_u16(),
        Err(error) => panic!("the S3 server does not answer: {error:?}"),
    }
}

#[tokio::test]
async fn a_record_of_any_bytes_comes_back_from_kafka_as_it_was() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("any-bytes", 2, &[]).await;
    let odd = NewRecord::new(Bytes::new())
        .key(&b"\xff\x00\xfe"[..])
        .partition(1)
        .timestamp_ms(1_600_000_000_123)
        .header(&b"\xff\xfe not text"[..], None)
        .header("twice", Some(Bytes::from_static(b"\x80")))
        .header("twice", Some(Bytes::new()));
    let tombstone = NewRecord::tombstone("gone").partition(1);
    let empty = NewRecord { partition: Some(1), ..NewRecord::default() };

    kafka.produce(&topic, vec![odd.clone(), tombstone, empty]).await;

    let read = kafka.read(&topic).await;
    assert!(read[&0].is_empty());
    let [first, second, third] = &read[&1][..] else { panic!("three records, not {}", read[&1].len()) };
    assert_eq!((&first.key, &first.value, &first.headers), (&odd.key, &odd.value, &odd.headers));
    assert_eq!((first.timestamp, first.timestamp_type), (Millis(1_600_000_000_123), TimestampType::CreateTime));
    assert_eq!((second.key.as_deref(), &second.value), (Some(&b"gone"[..]), &None));
    assert_eq!((&third.key, &third.value, third.headers.len()), (&None, &None, 0));
}

#[tokio::test]
async fn an_aborted_transaction_leaves_offsets_without_records() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("transactions", 1, &[]).await;
    let producer = kafka.transactional_producer(&topic).await;

    producer.begin();
    producer.send(&topic, vec![NewRecord::new("aborted")]).await;
    producer.abort().await;
    producer.begin();
    let placed = producer.send(&topic, vec![NewRecord::new("committed")]).await;
    producer.commit().await;

    assert_eq!(placed, [Placed { partition: 0, offset: 2 }], "offset 0 is aborted, offset 1 is its marker");
    let read = kafka.read(&topic).await;
    let values: Vec<_> = read[&0].iter().map(|record| record.value.as_deref()).collect();
    assert_eq!(values, [Some(&b"committed"[..])]);
}
