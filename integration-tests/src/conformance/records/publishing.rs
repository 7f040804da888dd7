//! Publishing.

use shared::{ports::records::Message, record::Partition};

use super::*;

fn message(key: &str, value: usize) -> Message {
    Message { key: Some(key.to_owned().into()), value: Some(value.to_string().into()), ..Message::default() }
}

/// What is published is in the log when the call returns, byte for byte.
pub async fn what_is_published_is_in_the_log(cluster: &dyn Cluster) {
    let p1 = TopicPartition::new(cluster.new_topic(2, &[]).await, 1);
    let headers = vec![header(b"\xff\0", Some(b"\0")), header(b"a", None), header(b"a", Some(b""))];
    let published = [
        Message { key: Some(Bytes::new()), value: Some(Bytes::new()), headers, ..Message::default() },
        Message { key: Some("tombstone".into()), ..Message::default() },
        Message { value: Some("no key".into()), ..Message::default() },
    ]
    .map(|message| Message { partition: Some(Partition(1)), ..message });
    cluster.kafka().publish(&p1.topic, published.to_vec()).await.expect("publish");
    assert_eq!(bounds(cluster.kafka(), &p1).await, Ok(bounds_of(0, 3, 3)));
    let read = read_from(cluster.kafka(), &p1, 0).await.records;
    let bytes: Vec<_> = read.into_iter().map(|r| (r.key, r.value, r.headers)).collect();
    assert_eq!(bytes, published.map(|m| (m.key, m.value, m.headers)));
}

/// Messages of one key lie in one partition, in the order they were published in, over calls as well.
pub async fn messages_of_a_key_keep_their_order(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(4, &[]).await;
    for call in 0..3 {
        let messages = (0..4_000).map(|n| message(&format!("key {}", n % 20), call * 4_000 + n)).collect();
        cluster.kafka().publish(&topic, messages).await.expect("publish");
    }
    let partitions: Vec<_> = (0..4).map(|number| TopicPartition::new(topic.clone(), number)).collect();
    let starts: Vec<_> = partitions.iter().map(|partition| (partition.clone(), Offset(0))).collect();
    let mut fetch = fetch(cluster.kafka(), &starts).await;
    let read = read_to_end(fetch.as_mut(), &partitions).await;
    let mut by_key: BTreeMap<_, Vec<(i32, usize)>> = BTreeMap::new();
    for (partition, read) in &read {
        for record in &read.records {
            let value = std::str::from_utf8(record.value.as_ref().expect("a value")).expect("text");
            by_key
                .entry(record.key.clone())
                .or_default()
                .push((partition.partition.0, value.parse().expect("a number")));
        }
    }
    assert_eq!(by_key.len(), 20);
    for (key, places) in by_key {
        assert_eq!(places.len(), 600, "{key:?}");
        assert!(places.iter().all(|(partition, _)| *partition == places[0].0), "{key:?} is in several partitions");
        assert!(places.is_sorted(), "{key:?} came out of order");
    }
}

/// Nothing is published to a topic or partition that is not there, and the error says so.
pub async fn publishing_to_what_is_not_there_is_told(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(1, &[]).await;
    let error = cluster
        .kafka()
        .publish("there-never-was-such-a-topic", vec![message("k", 1)])
        .await
        .expect_err("it is refused");
    assert!(matches!(error, RecordsError::Unknown { .. }), "{error:?}");
    let elsewhere = Message { partition: Some(Partition(7)), ..message("k", 1) };
    let error = cluster.kafka().publish(&topic, vec![elsewhere]).await.expect_err("it is refused");
    assert!(matches!(error, RecordsError::Unknown { .. }), "{error:?}");
    cluster.kafka().publish(&topic, vec![]).await.expect("nothing to do");
    assert_eq!(bounds(cluster.kafka(), &TopicPartition::new(topic, 0)).await, Ok(bounds_of(0, 0, 0)));
}

/// A topic is created once; asked for again, it stays as it is.
pub async fn a_topic_is_created_once(cluster: &dyn Cluster) {
    let name: Arc<str> = format!("{}-created", cluster.new_topic(1, &[]).await).into();
    let kafka = cluster.kafka();
    kafka.create_topic(&name, 3, &[("retention.ms", "604800000".to_owned())]).await.expect("create");
    let created = topic(kafka, &name).await.expect("it is there when the call returns");
    assert_eq!(created.partitions, 3);
    kafka.create_topic(&name, 5, &[]).await.expect("it exists");
    assert_eq!(topic(kafka, &name).await, Some(created));
}

/// Settings of a topic are set and taken away, and the others stay.
pub async fn a_topics_settings_are_changed(cluster: &dyn Cluster) {
    let name: Arc<str> = cluster.new_topic(1, &[("retention.ms", "3600000"), ("retention.bytes", "5000000")]).await;
    let kafka = cluster.kafka();
    let changes = [("retention.ms", None), ("max.message.bytes", Some("2000000".to_owned()))];
    kafka.alter_topic(&name, &changes).await.expect("they are changed");
    let own = kafka.overrides(std::slice::from_ref(&name)).await.expect("an answer").swap_remove(0).expect("settings");
    let expected = [("max.message.bytes", "2000000"), ("retention.bytes", "5000000")];
    assert_eq!(own, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let gone = kafka.alter_topic("there-never-was-such-a-topic", &changes).await;
    assert!(matches!(gone, Err(RecordsError::Unknown { .. })), "{gone:?}");
}

/// A topic that is deleted is gone when the call returns; one that is not there is no error.
pub async fn a_deleted_topic_is_gone(cluster: &dyn Cluster) {
    let name: Arc<str> = cluster.new_topic(2, &[]).await;
    let kafka = cluster.kafka();
    kafka.delete_topic(&name).await.expect("delete");
    assert_eq!(topic(kafka, &name).await, None);
    kafka.delete_topic(&name).await.expect("it is not there");
}

/// Whether a topic could be created is told without creating it.
pub async fn a_topic_is_checked_and_not_created(cluster: &dyn Cluster) {
    let name: Arc<str> = format!("{}-checked", cluster.new_topic(1, &[]).await).into();
    let kafka = cluster.kafka();
    kafka.check_topic(&name, 3, &[("retention.ms", "604800000".to_owned())]).await.expect("it could be created");
    let setting = cluster.refused_setting();
    let refused = kafka.check_topic(&name, 3, &[(setting, "1".to_owned())]).await;
    let Err(RecordsError::Refused { message, .. }) = &refused else { panic!("{refused:?}") };
    assert!(message.contains(setting), "{message}");
    assert_eq!(topic(kafka, &name).await, None);
}
