//! What the real Kafka adapter says and does when the cluster, the settings or the caller are not as they should be.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use integration_tests::{
    conformance::records::{PATIENCE, record},
    eventually::eventually,
    kafka::Kafka as Broker,
    kafka_wire,
};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use shared::{
    adapters::kafka::{KafkaCluster, mock::MockKafka},
    config::{
        kafka::{KafkaSettings, SaslMechanism, SecurityProtocol},
        secret::Secret,
        units::Span,
    },
    ports::records::{Fetch, Fetched, Groups as _, Log as _, Message, Publisher as _, RecordsError},
    record::{Offset, TopicPartition},
};

async fn connect(settings: KafkaSettings) -> KafkaCluster {
    KafkaCluster::connect(settings).await.expect("the settings make a client")
}

fn p0() -> TopicPartition {
    TopicPartition::new("topic", 0)
}

/// A port that nobody listens on.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").to_string()
}

/// The error of a call that must fail within the ten seconds that a user waits.
async fn error_of<T: std::fmt::Debug>(call: impl Future<Output = Result<T, RecordsError>>) -> RecordsError {
    let since = Instant::now();
    let error = call.await.expect_err("the call fails");
    assert!(since.elapsed() < Duration::from_secs(11), "told after {:?}: {error}", since.elapsed());
    error
}

async fn first_error(fetch: &mut dyn Fetch) -> Result<(), RecordsError> {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        fetch.next(Duration::from_secs(1)).await?;
    }
    Ok(())
}

/// The errors of every call, all made at once.
async fn errors_of_every_call(kafka: &KafkaCluster) -> Vec<RecordsError> {
    let message = || Message { value: Some("x".into()), ..Message::default() };
    let mut fetch = kafka.fetch(&[(p0(), Offset(0))]).await.expect("a fetch begins without the cluster");
    let mut member = kafka.join("group", &["topic".into()]).await.expect("a member begins without the cluster");
    let (names, partitions, offsets): ([Arc<str>; 1], _, _) = (["topic".into()], [p0()], [(p0(), Offset(0).into())]);
    let calls = tokio::join!(
        error_of(kafka.cluster_id()),
        error_of(kafka.topics(None)),
        error_of(kafka.topics(Some(&names))),
        error_of(kafka.bounds(&partitions)),
        error_of(kafka.committed_offsets("other group", &partitions)),
        error_of(kafka.commit("other group", &offsets)),
        error_of(kafka.publish("topic", vec![message()])),
        error_of(kafka.create_topic("topic", 1, &[])),
        error_of(first_error(fetch.as_mut())),
        error_of(first_error(member.as_mut())),
    );
    let (a, b, c, d, e, f, g, h, i, j) = calls;
    vec![a, b, c, d, e, f, g, h, i, j]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_are_not_there_are_told_within_ten_seconds_with_address_and_setting() {
    let address = closed_port();
    let kafka = connect(KafkaSettings::at(&*address)).await;
    for error in errors_of_every_call(&kafka).await {
        let text = error.to_string();
        assert!(matches!(error, RecordsError::Unavailable { .. }) && error.retry(), "{error:?}");
        assert!(text.contains(&address) && text.contains("kafka.bootstrap_servers"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_the_brokers_do_not_take_is_refused_with_its_settings() {
    let settings = KafkaSettings {
        security_protocol: SecurityProtocol::SaslPlaintext,
        sasl_mechanism: Some(SaslMechanism::Plain),
        sasl_username: Some("nobody".to_owned()),
        sasl_password: Some(Secret::new("hunter2")),
        ..KafkaSettings::at(Broker::shared().await.bootstrap_servers())
    };
    for error in errors_of_every_call(&connect(settings).await).await {
        let text = error.to_string();
        assert!(matches!(error, RecordsError::Refused { .. }) && !error.retry(), "{error:?}");
        assert!(text.contains("kafka.sasl_password") && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_that_the_brokers_do_not_speak_is_refused_with_its_settings() {
    let broker = Broker::shared().await.bootstrap_servers();
    let settings = KafkaSettings { security_protocol: SecurityProtocol::Ssl, ..KafkaSettings::at(broker) };
    for error in errors_of_every_call(&connect(settings).await).await {
        let text = error.to_string();
        assert!(text.contains("kafka.security_protocol"), "{text}");
    }
}

#[tokio::test]
async fn settings_that_make_no_client_are_refused_with_their_value() {
    let settings = KafkaSettings {
        security_protocol: SecurityProtocol::Ssl,
        ssl_ca_location: Some("/there/is/no/such.pem".into()),
        ..KafkaSettings::at("localhost:9092")
    };
    let error = KafkaCluster::connect(settings).await.err().expect("there is no such file");
    assert!(error.to_string().contains("/there/is/no/such.pem"), "{error}");
    let error = KafkaCluster::connect(KafkaSettings::default()).await.err().expect("there is no broker to ask");
    assert!(error.to_string().contains("kafka.bootstrap_servers"), "{error}");
}

/// A broker that hangs is told like one that is not there. When it goes on, so does the read, or another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_hangs_is_told_and_a_read_goes_on_after_it() {
    let broker = Broker::start().await;
    let p0 = TopicPartition::new(broker.new_topic("hangs", 1, &[]).await, 0);
    let kafka = connect(KafkaSettings::at(broker.bootstrap_servers())).await;
    kafka_wire::produce(broker.bootstrap_servers(), &p0, &[record("before")]).await;
    let mut fetch = kafka.fetch(&[(p0.clone(), Offset(0))]).await.expect("fetch");
    assert_eq!(offsets_until_end(fetch.as_mut()).await, [0]);

    broker.pause();
    let error = error_of(kafka.bounds(std::slice::from_ref(&p0))).await;
    assert!(matches!(error, RecordsError::Unavailable { .. }), "{error:?}");
    let error = first_error(fetch.as_mut()).await.expect_err("the read is told as well");
    assert!(matches!(error, RecordsError::Unavailable { .. }), "{error:?}");

    broker.unpause().await;
    // Its leaders may be known to it again a moment later than its records.
    let bounds = || async { kafka.bounds(std::slice::from_ref(&p0)).await.map_err(|error| error.to_string()) };
    eventually("the broker to answer again", PATIENCE, bounds).await;
    kafka_wire::produce(broker.bootstrap_servers(), &p0, &[record("after")]).await;
    let since = Instant::now();
    let records = loop {
        assert!(since.elapsed() < PATIENCE, "the read does not go on");
        match fetch.next(Duration::from_secs(1)).await {
            Ok(came) => {
                let records = came.into_iter().find_map(|fetched| match fetched {
                    Fetched::Records { records, .. } => Some(records),
                    _ => None,
                });
                if let Some(records) = records {
                    break records;
                }
            }
            // The client may never find the broker again, and says so. Whoever is told opens another, as all functions do.
            Err(_) => fetch = kafka.fetch(&[(p0.clone(), Offset(1))]).await.expect("fetch"),
        }
    };
    assert_eq!(records[0].offset, Offset(1));
}

async fn offsets_until_end(fetch: &mut dyn Fetch) -> Vec<i64> {
    let (since, mut offsets) = (Instant::now(), vec![]);
    while since.elapsed() < PATIENCE {
        for fetched in fetch.next(Duration::from_secs(1)).await.expect("next") {
            match fetched {
                Fetched::Records { records, .. } => offsets.extend(records.iter().map(|record| record.offset.0)),
                Fetched::End { .. } => return offsets,
                other => panic!("{other:?}"),
            }
        }
    }
    panic!("no end within {PATIENCE:?}, but {offsets:?}");
}

/// The session ends after 6 s without a sign of life, and a rebalance waits for every member.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_caller_is_slow_stays_in_its_group_and_holds_up_nobody() {
    let broker = Broker::shared().await;
    let topic: Arc<str> = broker.new_topic("slow", 2, &[]).await.into();
    let settings = KafkaSettings { session_timeout: Span::seconds(6), ..KafkaSettings::at(broker.bootstrap_servers()) };
    let kafka = connect(settings).await;
    let partitions = [TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic.clone(), 1)];
    // More than a read may hold ready, so that its thread waits for the caller.
    let large = record(vec![b'x'; 900_000]);
    for partition in &partitions {
        for _ in 0..30 {
            kafka_wire::produce(broker.bootstrap_servers(), partition, std::slice::from_ref(&large)).await;
        }
    }
    let group = format!("group-of-{topic}");
    let mut slow = kafka.join(&group, std::slice::from_ref(&topic)).await.expect("join");
    wait_until_assigned(slow.as_mut(), 2).await;
    for partition in &partitions {
        slow.start(partition, Offset(0)).await.expect("start");
    }
    // Its caller does not ask again.
    tokio::time::sleep(Duration::from_secs(9)).await;

    let mut other = kafka.join(&group, std::slice::from_ref(&topic)).await.expect("join");
    wait_until_assigned(other.as_mut(), 1).await;
    let mut revoked = 0;
    let since = Instant::now();
    let mut kept = vec![];
    while kept.len() < 30 && since.elapsed() < PATIENCE {
        for fetched in slow.next(Duration::from_secs(1)).await.expect("next") {
            match fetched {
                Fetched::Revoked { .. } => revoked += 1,
                Fetched::Records { records, .. } => kept.extend(records.iter().map(|record| record.offset.0)),
                Fetched::End { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(revoked, 1, "the session did not end meanwhile: one partition was kept");
    assert_eq!(kept, (0..30).collect::<Vec<_>>());
}

async fn wait_until_assigned(member: &mut dyn Fetch, count: usize) {
    let (since, mut assigned) = (Instant::now(), 0);
    while assigned < count {
        assert!(since.elapsed() < PATIENCE, "{assigned} partitions were assigned, not {count}");
        let came = member.next(Duration::from_secs(1)).await.expect("next");
        assigned += came.iter().filter(|fetched| matches!(fetched, Fetched::Assigned { .. })).count();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_for_a_group_whose_members_are_elsewhere_is_refused_with_the_reason() {
    let broker = Broker::shared().await;
    let topic: Arc<str> = broker.new_topic("elsewhere", 1, &[]).await.into();
    let (here, elsewhere) = (
        connect(KafkaSettings::at(broker.bootstrap_servers())).await,
        connect(KafkaSettings::at(broker.bootstrap_servers())).await,
    );
    let group = format!("group-of-{topic}");
    let mut member = elsewhere.join(&group, std::slice::from_ref(&topic)).await.expect("join");
    wait_until_assigned(member.as_mut(), 1).await;
    let offsets = [(TopicPartition::new(topic, 0), Offset(0).into())];
    let error = here.commit(&group, &offsets).await.expect_err("the group has a member elsewhere");
    assert!(error.to_string().contains("members in another process"), "{error}");
    elsewhere.commit(&group, &offsets).await.expect("the member's own adapter may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mock_cluster_started_again_has_other_topics() {
    let id_of_a_new_topic = async || {
        let mock = MockKafka::start(3).expect("the mock cluster starts");
        mock.create_topic("orders", 2).expect("create topic");
        let kafka = connect(KafkaSettings::at(mock.bootstrap_servers())).await;
        kafka.create_topic("orders", 2, &[]).await.expect("it exists");
        let topics = kafka.topics(None).await.expect("the mock answers");
        assert_eq!(topics.len(), 1, "{topics:?}");
        topics[0].id.clone()
    };
    assert_ne!(id_of_a_new_topic().await, id_of_a_new_topic().await);
}

/// All but the group's coordinator answer. Requests that fail meanwhile must not harm the client: it works again afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_of_a_group_whose_coordinator_is_away_are_an_error_and_come_back_with_it() {
    const COORDINATOR: i32 = 2;
    let mock = MockCluster::new(3).expect("the mock cluster starts");
    mock.create_topic("topic", 1, 1).expect("create topic");
    let group = "group";
    mock.coordinator(MockCoordinator::Group(group.to_owned()), COORDINATOR).expect("a coordinator");
    mock.partition_leader("topic", 0, Some(1)).expect("a leader that stays");
    let settings = KafkaSettings { request_timeout: Span::seconds(1), ..KafkaSettings::at(&*mock.bootstrap_servers()) };
    let kafka = connect(settings).await;
    let partitions = [p0()];
    for round in 0..3 {
        let offsets = [(p0(), Offset(round).into())];
        let commit = || async { kafka.commit(group, &offsets).await.map_err(|error| error.to_string()) };
        eventually("a commit to arrive", PATIENCE, commit).await;
        assert_eq!(kafka.committed_offsets(group, &partitions).await, Ok(vec![Some(Offset(round))]));

        mock.broker_down(COORDINATOR).expect("the coordinator goes away");
        let unheard = [(p0(), Offset(100).into())];
        let (committed, commit) = tokio::join!(
            error_of(kafka.committed_offsets(group, &partitions)),
            error_of(kafka.commit(group, &unheard))
        );
        for error in [committed, commit] {
            assert!(matches!(error, RecordsError::Unavailable { .. }) && error.retry(), "{error:?}");
        }
        kafka.bounds(&partitions).await.expect("the others answer");
        mock.broker_up(COORDINATOR).expect("the coordinator is back");
    }
}
