//! What the logs are and hold.

use super::*;
use crate::eventually::eventually;

/// A topic is described with its id and partitions; one that is not there is left out.
pub async fn topics_are_told_with_their_ids(cluster: &dyn Cluster) {
    let (one, three) = (cluster.new_topic(1, &[]).await, cluster.new_topic(3, &[]).await);
    let asked = [three.clone(), "there-never-was-such-a-topic".into(), one.clone()];
    let topics = cluster.kafka().topics(Some(&asked)).await.expect("the cluster answers");
    let partitions: BTreeMap<_, _> = topics.iter().map(|topic| (topic.name.clone(), topic.partitions)).collect();
    assert_eq!(partitions, BTreeMap::from([(one.clone(), 1), (three.clone(), 3)]));
    assert_ne!(topics[0].id, topics[1].id);

    let all = cluster.kafka().topics(None).await.expect("the cluster answers");
    assert!(topics.iter().all(|topic| all.contains(topic)), "{all:?}");
    assert_eq!(cluster.kafka().topics(Some(&[])).await.expect("the cluster answers"), []);
}

/// A topic that was deleted and created again has another id, and its offsets begin at 0.
pub async fn a_topic_created_again_has_another_id(cluster: &dyn Cluster) {
    let name = cluster.new_topic(1, &[]).await;
    let p0 = TopicPartition::new(name.clone(), 0);
    cluster.append(&p0, &records(3)).await;
    let before = topic(cluster.kafka(), &name).await.expect("it was created");
    assert_eq!(topic(cluster.kafka(), &name).await.as_ref(), Some(&before), "the id stays");

    cluster.delete_topic(&name).await;
    eventually("the topic to be gone", PATIENCE, || async {
        topic(cluster.kafka(), &name).await.map_or(Ok(()), |topic| Err(format!("{topic:?}")))
    })
    .await;
    cluster.create_again(&name, 1).await;
    let after = eventually("the topic to be there again", PATIENCE, || async {
        topic(cluster.kafka(), &name).await.ok_or_else(|| "it is not".to_owned())
    })
    .await;
    assert_ne!(before.id, after.id);
    cluster.append(&p0, &records(1)).await;
    assert_eq!(read_from(cluster.kafka(), &p0, 0).await.offsets(), [0]);
}

/// Bounds follow appends and trims; what is not there has its error in its place.
pub async fn bounds_are_told_in_the_order_asked_for(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(2, &[]).await;
    let (p0, p1, p9) =
        (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic.clone(), 1), TopicPartition::new(topic, 9));
    let never = TopicPartition::new("there-never-was-such-a-topic", 0);
    cluster.append(&p1, &records(7)).await;
    cluster.trim(&p1, Offset(2)).await;
    let asked = [p9, p1, never, p0];
    let told = cluster.kafka().bounds(&asked).await.expect("the cluster answers");
    assert!(matches!(told[0], Err(RecordsError::Unknown { .. })), "{:?}", told[0]);
    let of = |at: usize| told[at].clone().map(|bounds| LogBounds { leader_epoch: None, ..bounds });
    assert_eq!(of(1), Ok(bounds_of(2, 7, 7)));
    assert!(matches!(told[2], Err(RecordsError::Unknown { .. })), "{:?}", told[2]);
    assert_eq!(of(3), Ok(bounds_of(0, 0, 0)));
    assert_eq!(cluster.kafka().bounds(&[]).await.expect("the cluster answers"), []);
    let told = cluster.kafka().bounds(&asked[..1]).await.expect("the cluster answers where no partition is there");
    assert!(matches!(told[..], [Err(RecordsError::Unknown { .. })]), "{told:?}");
}

/// The cluster's id does not change.
pub async fn the_cluster_has_an_id(cluster: &dyn Cluster) {
    let id = cluster.kafka().cluster_id().await.expect("the cluster answers");
    assert!(!id.is_empty());
    assert_eq!(cluster.kafka().cluster_id().await.expect("the cluster answers"), id);
}

/// Retention is told as the topic has it, in the order asked for; what is not there has its error in its place.
pub async fn retention_is_told_as_the_topic_has_it(cluster: &dyn Cluster) {
    let limited = cluster.new_topic(1, &[("retention.ms", "3600000"), ("retention.bytes", "1048576")]).await;
    let unlimited = cluster.new_topic(1, &[("retention.ms", "-1"), ("retention.bytes", "-1")]).await;
    let compacted = cluster.new_topic(1, &[("cleanup.policy", "compact"), ("retention.ms", "3600000")]).await;
    let both = cluster.new_topic(1, &[("cleanup.policy", "compact,delete"), ("retention.ms", "60000")]).await;
    let asked = [compacted, both, "there-never-was-such-a-topic".into(), limited, unlimited];
    let told = cluster.kafka().retention(&asked).await.expect("the cluster answers");
    assert_eq!(told[0], Ok(Retention::default()));
    assert_eq!(told[1], Ok(Retention { ms: Some(60_000), bytes: None }));
    assert!(matches!(told[2], Err(RecordsError::Unknown { .. })), "{:?}", told[2]);
    assert_eq!(told[3], Ok(Retention { ms: Some(3_600_000), bytes: Some(1 << 20) }));
    assert_eq!(told[4], Ok(Retention::default()));
    assert_eq!(cluster.kafka().retention(&[]).await.expect("the cluster answers"), []);
}

/// A topic's own settings are told without those that the cluster's defaults give it.
pub async fn a_topics_own_settings_are_told_apart(cluster: &dyn Cluster) {
    let (own, none) = (cluster.new_topic(1, &[("retention.ms", "3600000")]).await, cluster.new_topic(1, &[]).await);
    let asked = [none, "there-never-was-such-a-topic".into(), own];
    let told = cluster.kafka().overrides(&asked).await.expect("the cluster answers");
    assert_eq!(told[0], Ok(BTreeMap::new()));
    assert!(matches!(told[1], Err(RecordsError::Unknown { .. })), "{:?}", told[1]);
    assert_eq!(told[2], Ok(BTreeMap::from([("retention.ms".to_owned(), "3600000".to_owned())])));
}

/// Who peeks gets the first record of each partition, also where it is larger than what is read ahead.
pub async fn a_peek_brings_the_first_record_of_each_partition(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(3, &[]).await;
    let partitions: Vec<_> = (0..3).map(|number| TopicPartition::new(topic.clone(), number)).collect();
    for partition in &partitions {
        cluster.append(partition, &[record("small"), record(vec![b'x'; 300_000]), record("small")]).await;
    }
    let starts: Vec<_> = partitions.iter().map(|partition| (partition.clone(), Offset(1))).collect();
    let mut fetch = cluster.kafka().peek(&starts).await.expect("the cluster answers");
    let (since, mut first) = (Instant::now(), BTreeMap::new());
    while first.len() < partitions.len() {
        assert!(since.elapsed() < PATIENCE, "no more than {first:?}");
        for fetched in next(fetch.as_mut()).await {
            if let Fetched::Records { partition, records, .. } = fetched
                && !first.contains_key(&partition)
            {
                fetch.stop(&partition).await.expect("it is read");
                first.insert(partition, (records[0].offset, records[0].size_bytes()));
            }
        }
    }
    assert!(first.values().all(|it| *it == (Offset(1), 300_000)), "{first:?}");
}

/// The end of a log tells under which leader epoch it goes on, and the same one as long as the leader stays.
pub async fn the_end_of_a_log_tells_its_leader_epoch(cluster: &dyn Cluster) {
    let partition = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    let epoch = async || {
        let told = cluster.kafka().bounds(std::slice::from_ref(&partition)).await.expect("the cluster answers");
        told.into_iter().next().expect("one answer").expect("the bounds").leader_epoch
    };
    cluster.append(&partition, &[record("first")]).await;
    let first = epoch().await;
    assert!(first.is_some(), "this cluster tells epochs");
    cluster.append(&partition, &[record("second")]).await;
    assert_eq!(epoch().await, first);
}
