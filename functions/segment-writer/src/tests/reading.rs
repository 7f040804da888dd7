//! Reading that fails, and partitions that need none.

use std::sync::atomic::{AtomicUsize, Ordering};

use shared::ports::records::{Fetched, RecordsError};

use super::{reading_kafka::ReadingKafka, *};

fn refused() -> RecordsError {
    RecordsError::Refused { operation: "fetch", message: "the brokers refuse it".into() }
}

/// Whose something is.
fn topic_of(fetched: &Fetched) -> &str {
    match fetched {
        Fetched::Records { partition, .. }
        | Fetched::End { partition, .. }
        | Fetched::OutOfRange { partition }
        | Fetched::Failed { partition, .. }
        | Fetched::Assigned { partition }
        | Fetched::Revoked { partition } => &partition.topic,
        Fetched::Interrupted => "",
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_fails_for_good_leaves_the_report_of_what_was_drained_and_finishes_what_was_read() {
    let mut world = World::new();
    for (topic, records) in [("clicks", 1), ("orders", 10), ("views", 5)] {
        world.kafka.create(topic, 1, &[]);
        for _ in 0..records {
            world.kafka.append(&TopicPartition::new(topic, 0), record(0));
        }
    }
    // Clicks come whole, of views the first three, of orders nothing; some looks later all reading fails.
    let looks_left = AtomicUsize::new(usize::MAX);
    world.met_kafka = Some(ReadingKafka::of(&world, move |fetched| {
        match looks_left.load(Ordering::SeqCst) {
            0 => return Err(refused()),
            usize::MAX => {}
            left => looks_left.store(left - 1, Ordering::SeqCst),
        }
        let mut given = vec![];
        for fetched in fetched {
            match fetched {
                Fetched::Records { partition, mut records, leader_epoch } if &*partition.topic == "views" => {
                    records.truncate(3);
                    looks_left.fetch_min(20, Ordering::SeqCst);
                    given.push(Fetched::Records { partition, records, leader_epoch });
                }
                other if topic_of(&other) == "clicks" => given.push(other),
                _ => {}
            }
        }
        Ok(given)
    }));
    let context = world.context(&["main"]);
    // What is stored of clicks before is read by nobody again.
    let clicks = Drain { topics: Some(vec!["clicks".into()]), ..all() };
    assert!(drained(clicks, &context).await.complete());
    let report = drained(all(), &context).await;
    let mut said: Vec<_> =
        report.partitions.iter().map(|it| (&*it.topic, it.segments, it.next, it.error.as_ref())).collect();
    said.sort_by_key(|(topic, ..)| *topic);
    let [(_, 0, Offset(1), None), (_, 0, Offset(0), Some(orders)), (_, 1, Offset(views), Some(of_views))] = said[..]
    else {
        panic!("{report:?}")
    };
    assert!((1..=3).contains(&views), "what was read is finished: {report:?}");
    for error in [orders, of_views] {
        assert!(matches!(error, WriteError::Records(RecordsError::Refused { .. })), "{error}");
        assert_eq!(error.failed_state().code(), 900);
    }
    let told = world.states("orders").await.last().expect("a standing").0;
    assert_eq!(told.code(), 900);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_only_waits_between_its_errors_is_replaced_by_another() {
    let mut world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(3);
    let calls = AtomicUsize::new(0);
    let kafka = ReadingKafka::of(&world, move |_| match calls.fetch_add(1, Ordering::SeqCst) % 3 {
        0 => Ok(vec![Fetched::Interrupted]),
        1 => Ok(vec![]),
        _ => Err(RecordsError::Unavailable {
            operation: "fetch",
            bootstrap_servers: "memory".into(),
            message: "no answer".into(),
        }),
    });
    world.met_kafka = Some(kafka.clone());
    let (context, stop) = (world.context(&["main"]), CancellationToken::new());
    let replaced = async {
        while kafka.reads.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        stop.cancel();
    };
    let within =
        tokio::time::timeout(Duration::from_secs(600), async { tokio::join!(follow(&context, &stop), replaced) });
    within.await.expect("another reader within ten minutes");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_of_partitions_without_records_and_all_others_share_one_read() {
    let mut world = World::new();
    world.kafka.create("orders", 3, &[]);
    let kafka = ReadingKafka::of(&world, Ok);
    world.met_kafka = Some(kafka.clone());
    let report = world.drain().await;
    assert!(report.complete() && report.partitions.len() == 3, "{report:?}");
    assert_eq!(kafka.reads.load(Ordering::SeqCst), 0);
    world.append(1);
    world.kafka.append(&TopicPartition::new("orders", 1), record(0));
    assert!(world.drain().await.complete());
    assert_eq!(kafka.reads.load(Ordering::SeqCst), 1);
}

/// Orders 0 to 9 of 5 bytes each but number 4, and a click.
fn with_a_large_order(size: usize) -> World {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.kafka.create("clicks", 1, &[]);
    for offset in 0..10 {
        let value = if offset == 4 { vec![b'x'; size].into() } else { "value".into() };
        world.kafka.append(&orders(), Record { value: Some(value), ..record(0) });
    }
    world.kafka.append(&TopicPartition::new("clicks", 0), record(0));
    world
}

fn limited(world: &World, limits: Limits) -> Arc<Context> {
    let backups = world.context(&["main"]).backups.iter().map(|backup| (**backup).clone()).collect();
    let kafka = Arc::new(world.kafka.clone());
    Context::new(kafka, world.objects.clone(), world.clock.clone(), backups, "metrics", "test", limits)
}

#[tokio::test(start_paused = true)]
async fn a_record_above_the_limit_stops_its_partition_alone_and_is_told_with_everything_to_find_it() {
    let world = with_a_large_order(101);
    let context = limited(&world, Limits { record_bytes_max: 100, ..Limits::default() });
    let report = drained(all(), &context).await;
    let of = |topic: &str| report.partitions.iter().find(|it| &*it.topic == topic).expect("it is drained");
    assert!(of("clicks").error.is_none() && of("clicks").records == 1, "{report:?}");
    assert_eq!(of("orders").next, Offset(4), "what lies before it is stored");
    let error = of("orders").error.as_ref().expect("it cannot be stored");
    let text = error.to_string();
    assert!(
        text.starts_with("orders-0: the record at offset 4 has 101 bytes, more than kafka.record_bytes_max = 100"),
        "{text}"
    );
    assert_eq!((error.retry(), error.failed_state().code()), (false, 900));
    assert_eq!(world.states("orders").await.last().expect("a standing").0.code(), 900);

    let context = limited(&world, Limits { record_bytes_max: 101, ..Limits::default() });
    assert!(drained(all(), &context).await.complete());
    assert_eq!(world.stored().await, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_record_larger_than_the_memory_budget_and_than_a_segment_is_a_segment_of_its_own() {
    let world = with_a_large_order(3 << 20);
    let context = limited(&world, Limits { memory_bytes_max: 1 << 20, ..Limits::default() });
    let report = tokio::time::timeout(Duration::from_secs(600), drained(all(), &context)).await.expect("no deadlock");
    assert!(report.complete(), "{report:?}");
    assert_eq!(world.stored().await, (0..10).collect::<Vec<_>>());
    for base in ["00000000000000000004", "00000000000000000005"] {
        let key = format!("main/orders/1/0/{base}.kan");
        assert!(world.objects.get(&key, GetRange::Whole).await.unwrap().is_some(), "{key}");
    }
}

fn all() -> Drain {
    Drain { one_shot: true, ..Drain::of("main") }
}

async fn drained(drain: Drain, context: &Arc<Context>) -> DrainReport {
    match handle(Input::Drain(drain), context).await.expect("an answer") {
        Output::Drain(report) => report,
        Output::Event(report) => panic!("{report:?}"),
    }
}
