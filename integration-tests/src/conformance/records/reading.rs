//! Reading partitions.

use super::*;
use crate::eventually::eventually;

/// Keys, values and headers of every form come back byte for byte.
pub async fn every_byte_form_comes_as_it_was_written(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    let plain = record("value");
    let written = [
        plain.clone(),
        Record { key: None, value: None, ..plain.clone() },
        Record { key: Some(Bytes::new()), value: Some(Bytes::new()), ..plain.clone() },
        Record { key: Some("tombstone".into()), value: None, ..plain.clone() },
        Record {
            key: Some(Bytes::from_static(b"\0\xff\xfe")),
            value: Some(Bytes::from_static(b"\x80\0")),
            ..plain.clone()
        },
        Record {
            headers: vec![
                header(b"b", Some(b"2")),
                header(b"a", Some(b"1")),
                header(b"b", Some(b"3")),
                header(b"b", Some(b"2")),
                header(b"null", None),
                header(b"empty", Some(b"")),
                header(b"", Some(b"no name")),
                header(b"\xff\xfe not text", Some(b"\xff")),
                header(b"zero\0byte", Some(b"in\0both")),
                header(b"zero\0byte", None),
            ],
            ..plain.clone()
        },
        Record { value: Some(vec![b'x'; 700_000].into()), ..plain },
    ];
    cluster.append(&p0, &written).await;

    let read = read_from(cluster.kafka(), &p0, 0).await;

    let expected: Vec<Record> =
        (0..).zip(written).map(|(offset, record)| Record { offset: Offset(offset), ..record }).collect();
    assert_eq!(read.records, expected);
    assert_eq!(read.end, Some(Offset(7)));
}

/// Timestamps come as they are in the log, those of 1970 and before included.
pub async fn timestamps_come_as_they_are(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(
        cluster.new_topic(1, &[("message.timestamp.before.max.ms", "9223372036854775807")]).await,
        0,
    );
    let stamps = [0, 1, -1, 1_600_000_000_000, 0, 1_599_999_999_999];
    let written: Vec<Record> = stamps.iter().map(|stamp| Record { timestamp: Millis(*stamp), ..record("x") }).collect();
    cluster.append(&p0, &written).await;

    let read = read_from(cluster.kafka(), &p0, 0).await;

    let came: Vec<_> = read.records.iter().map(|r| (r.timestamp.0, r.timestamp_type)).collect();
    assert_eq!(came, stamps.map(|stamp| (stamp, TimestampType::CreateTime)));
}

/// Where the broker stamps records, they say so.
pub async fn a_log_append_time_is_told_from_a_create_time(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[("message.timestamp.type", "LogAppendTime")]).await, 0);
    cluster.append(&p0, &[Record { timestamp: Millis(5), ..record("x") }]).await;

    let read = read_from(cluster.kafka(), &p0, 0).await;

    assert_eq!(read.records[0].timestamp_type, TimestampType::LogAppendTime);
    assert!(read.records[0].timestamp > Millis(1_600_000_000_000), "{:?}", read.records[0].timestamp);
}

/// An empty log has an end, and what is appended later comes, and then the end again.
pub async fn the_end_comes_again_after_what_was_appended(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    let mut fetch = fetch(cluster.kafka(), &[(p0.clone(), Offset(0))]).await;
    let read = read_to_end(fetch.as_mut(), std::slice::from_ref(&p0)).await;
    assert_eq!((read[&p0].offsets(), read[&p0].end), (vec![], Some(Offset(0))));
    cluster.append(&p0, &records(3)).await;
    let read = read_to_end(fetch.as_mut(), std::slice::from_ref(&p0)).await;
    assert_eq!((read[&p0].offsets(), read[&p0].end), (vec![0, 1, 2], Some(Offset(3))));
}

/// Markers of transactions and aborted records are no records, and the end's position has passed them.
pub async fn the_end_has_passed_trailing_markers_and_aborted_records(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    cluster.open_transaction(&p0, "committed").await.end(true).await;
    cluster.open_transaction(&p0, "aborted").await.end(false).await;
    // A marker is written after the transaction's end was acknowledged.
    eventually("the second marker", PATIENCE, || async {
        let bounds = bounds(cluster.kafka(), &p0).await;
        if bounds == Ok(bounds_of(0, 4, 4)) { Ok(()) } else { Err(format!("{bounds:?}")) }
    })
    .await;
    for (from, offsets) in [(0, vec![0]), (1, vec![]), (2, vec![]), (3, vec![]), (4, vec![])] {
        let read = read_from(cluster.kafka(), &p0, from).await;
        assert_eq!((read.offsets(), read.end), (offsets, Some(Offset(4))), "from {from}");
    }
}

/// An open transaction holds the last stable offset; nothing at or after it is handed out until it ends.
pub async fn nothing_is_read_past_an_open_transaction(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    cluster.append(&p0, &records(2)).await;
    let open = cluster.open_transaction(&p0, "open").await;
    cluster.append(&p0, &records(1)).await;
    assert_eq!(bounds(cluster.kafka(), &p0).await, Ok(bounds_of(0, 2, 4)));

    let mut fetch = fetch(cluster.kafka(), &[(p0.clone(), Offset(0))]).await;
    let read = read_to_end(fetch.as_mut(), std::slice::from_ref(&p0)).await;
    assert_eq!((read[&p0].offsets(), read[&p0].end), (vec![0, 1], Some(Offset(2))));
    assert_eq!(for_a_while(fetch.as_mut()).await, []);

    open.end(true).await;
    let read = read_to_end(fetch.as_mut(), std::slice::from_ref(&p0)).await;
    assert_eq!((read[&p0].offsets(), read[&p0].end), (vec![2, 3], Some(Offset(5))));
}

/// Offsets that compaction took away are passed over, and a read may begin at one.
pub async fn compacted_offsets_are_passed_over(cluster: &dyn Cluster) {
    let p0 = cluster.compacted().await;
    for (from, offsets) in [(0, vec![0, 4, 5]), (1, vec![4, 5]), (3, vec![4, 5]), (5, vec![5]), (6, vec![])] {
        let read = read_from(cluster.kafka(), &p0, from).await;
        assert_eq!((read.offsets(), read.end), (offsets, Some(Offset(6))), "from {from}");
    }
}

/// An offset below the log's start or above its end is told, and the partition can be started again.
pub async fn an_offset_that_is_not_in_the_log_is_told(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    cluster.append(&p0, &records(5)).await;
    cluster.trim(&p0, Offset(3)).await;
    assert_eq!(bounds(cluster.kafka(), &p0).await, Ok(bounds_of(3, 5, 5)));
    let mut fetch = fetch(cluster.kafka(), &[(p0.clone(), Offset(2))]).await;
    for outside in [0, 6, 1_000_000] {
        let told = wait_for(fetch.as_mut(), "out of range", |_| true).await;
        assert_eq!(told, Fetched::OutOfRange { partition: p0.clone() });
        assert_eq!(for_a_while(fetch.as_mut()).await, []);
        fetch.start(&p0, Offset(outside)).await.expect("start");
    }
    wait_for(fetch.as_mut(), "out of range", |_| true).await;
    fetch.start(&p0, Offset(3)).await.expect("start");
    let read = read_to_end(fetch.as_mut(), std::slice::from_ref(&p0)).await;
    assert_eq!((read[&p0].offsets(), read[&p0].end), (vec![3, 4], Some(Offset(5))));
}

/// After a start the first record is the one asked for, whatever was fetched ahead; after a stop none comes.
pub async fn a_start_drops_what_was_fetched_before(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    cluster.append(&p0, &records(3_000)).await;
    let mut fetch = fetch(cluster.kafka(), &[(p0.clone(), Offset(0))]).await;
    for from in [2_500, 0, 1_700, 1_699, 2_999, 3_000, 12] {
        next(fetch.as_mut()).await;
        fetch.start(&p0, Offset(from)).await.expect("start");
        let first = wait_for(fetch.as_mut(), "what was asked for", |_| true).await;
        match first {
            Fetched::Records { records, .. } => assert_eq!(records[0].offset, Offset(from)),
            other => assert_eq!(other, Fetched::End { partition: p0.clone(), position: Offset(3_000) }),
        }
    }
    fetch.stop(&p0).await.expect("stop");
    assert_eq!(for_a_while(fetch.as_mut()).await, []);
    fetch.start(&p0, Offset(2_998)).await.expect("start");
    let read = read_to_end(fetch.as_mut(), std::slice::from_ref(&p0)).await;
    assert_eq!(read[&p0].offsets(), [2_998, 2_999]);
}

/// Records come with the leader epoch they were written under, and a start behind one of them goes on there, as the log still
/// holds it.
pub async fn a_start_behind_a_record_that_the_log_still_holds_goes_on(cluster: &dyn Cluster) {
    let p0 = TopicPartition::new(cluster.new_topic(1, &[]).await, 0);
    cluster.append(&p0, &records(5)).await;
    let mut fetch = fetch(cluster.kafka(), &[(p0.clone(), Offset(0))]).await;
    let first = wait_for(fetch.as_mut(), "records", |_| true).await;
    let Fetched::Records { leader_epoch: Some(epoch), .. } = first else { panic!("no leader epoch in {first:?}") };
    for (from, offsets) in [(3, vec![3, 4]), (5, vec![])] {
        fetch.start_behind(&p0, Offset(from), epoch).await.expect("start");
        let read = read_to_end(fetch.as_mut(), std::slice::from_ref(&p0)).await;
        assert_eq!((read[&p0].offsets(), read[&p0].end), (offsets, Some(Offset(5))), "from {from}");
    }
    fetch.start_behind(&p0, Offset(6), epoch).await.expect("start");
    assert_eq!(wait_for(fetch.as_mut(), "word of it", |_| true).await, Fetched::OutOfRange { partition: p0 });
}

/// Several partitions are read side by side, each in its order, and one can be added later.
pub async fn partitions_are_read_side_by_side(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(3, &[]).await;
    let partitions: Vec<_> = (0..3).map(|number| TopicPartition::new(topic.clone(), number)).collect();
    for (partition, count) in partitions.iter().zip([1_000, 10, 500]) {
        cluster.append(partition, &records(count)).await;
    }
    let starts: Vec<_> = partitions[..2].iter().map(|partition| (partition.clone(), Offset(0))).collect();
    let mut fetch = fetch(cluster.kafka(), &starts).await;
    let read = read_to_end(fetch.as_mut(), &partitions[..2]).await;
    assert_eq!(read[&partitions[0]].offsets(), (0..1_000).collect::<Vec<_>>());
    assert_eq!(read[&partitions[1]].offsets(), (0..10).collect::<Vec<_>>());
    fetch.start(&partitions[2], Offset(499)).await.expect("start");
    let read = read_to_end(fetch.as_mut(), &partitions[2..]).await;
    assert_eq!(read[&partitions[2]].offsets(), [499]);
}

/// A topic that is deleted, and one that never was, are told for their partitions; the others go on.
pub async fn a_topic_that_is_not_there_is_told_and_others_go_on(cluster: &dyn Cluster) {
    let (gone, stays) = (cluster.new_topic(1, &[]).await, cluster.new_topic(1, &[]).await);
    let (gone, stays) = (TopicPartition::new(gone, 0), TopicPartition::new(stays, 0));
    let never = TopicPartition::new("there-never-was-such-a-topic", 0);
    let starts = [(gone.clone(), Offset(0)), (stays.clone(), Offset(0)), (never.clone(), Offset(0))];
    let mut fetch = fetch(cluster.kafka(), &starts).await;
    let told = |wanted: TopicPartition| move |fetched: &Fetched| matches!(fetched, Fetched::Failed { partition, .. } if *partition == wanted);
    let failed = wait_for(fetch.as_mut(), "word of the topic that never was", told(never)).await;
    assert!(
        matches!(&failed, Fetched::Failed { error, .. } if matches!(**error, RecordsError::Unknown { .. })),
        "{failed:?}"
    );
    cluster.delete_topic(&gone.topic).await;
    let failed = wait_for(fetch.as_mut(), "word of the deleted topic", told(gone)).await;
    assert!(
        matches!(&failed, Fetched::Failed { error, .. } if matches!(**error, RecordsError::Unknown { .. })),
        "{failed:?}"
    );
    cluster.append(&stays, &records(1)).await;
    wait_for(
        fetch.as_mut(),
        "the other topic's record",
        |fetched| matches!(fetched, Fetched::Records { partition, .. } if *partition == stays),
    )
    .await;
}
