//! `highwater verify --repair` on a real Redis: beside nobody, and beside a `serve` that goes on counting; and `verify` while
//! Redis or Kafka is away.

use std::{process::Output, time::Duration};

use integration_tests::{
    eventually::eventually, kafka::Kafka, kafka_producer::NewRecord, redis_server::RedisServer, serving::Serving,
};
use serde_json::Value;
use shared::{
    adapters::redis::RedisStore,
    config::RedisSettings,
    metrics::registers::{RegisterKind, names},
    ports::store::{Operation, Query, Register, Store, Value as Held},
    record::Partition,
};

const WITHIN: Duration = Duration::from_secs(60);

struct Test {
    kafka: &'static Kafka,
    serving: Serving,
    store: RedisStore,
    produced: usize,
}

impl Test {
    async fn new(base: &str) -> Test {
        let kafka = Kafka::shared().await;
        let url = RedisServer::shared().await.new_database().url;
        let store = RedisStore::open(&RedisSettings::at(&url)).expect("a redis url");
        Test { kafka, serving: Serving::new(base, kafka, &url).await, store, produced: 0 }
    }

    /// Writes so many records of 20 KB to partition 0, a few to a segment.
    async fn produce(&mut self, count: usize) {
        let record = || NewRecord::new(vec![b'x'; 20_000]).partition(0);
        self.kafka.produce(&self.serving.topic, (0..count).map(|_| record()).collect()).await;
        self.produced += count;
    }

    fn field(&self) -> String {
        names::chain_field(&self.serving.topic, 1, Partition(0))
    }

    async fn register(&self, kind: RegisterKind) -> Register {
        let answers =
            self.store.read(&[Query::Registers(kind.key(&self.serving.backup))]).await.expect("redis answers");
        let [Held::Registers(registers)] = &answers[..] else { panic!("{answers:?}") };
        registers.iter().find(|it| it.field == self.field()).cloned().unwrap_or_else(|| panic!("{registers:?}"))
    }

    /// Sets a register of partition 0 to anything.
    async fn set(&self, kind: RegisterKind, field: &str, order: Vec<u64>, value: &str) {
        let key = kind.key(&self.serving.backup);
        let fields = vec![field.to_owned()];
        let set = Operation::Max { key: key.clone(), field: field.to_owned(), order, value: value.to_owned() };
        self.store.apply(&[], &[Operation::Remove { key, fields }, set]).await.expect("redis answers");
    }

    /// Waits until everything is stored, and told.
    async fn good(&self) {
        eventually("everything to be stored", WITHIN, || async {
            let stored = self.serving.frontiers().await.get(&Partition(0)).copied().unwrap_or_default();
            if stored == self.produced as i64 { Ok(()) } else { Err(stored.to_string()) }
        })
        .await;
        eventually("a good backup", WITHIN, || async {
            let output = self.serving.verify().await;
            if output.status.success() { Ok(()) } else { Err(format!("{output:?}")) }
        })
        .await;
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_backup_makes_its_figures_known_so_that_verify_finds_nothing_wrong_although_no_meter_ever_ran() {
    let mut test = Test::new("first").await;
    test.produce(10).await;
    let backup = test.serving.run(&["backup"]).await;
    assert!(backup.status.success(), "{backup:?}");
    assert_eq!(test.register(RegisterKind::Heads).await.order[1], 10);
    let verified = test.serving.verify().await;
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_or_kafka_is_away_the_storage_is_verified_and_nothing_is_repaired() {
    let mut test = Test::new("away").await;
    test.produce(10).await;
    let backup = test.serving.run(&["backup"]).await;
    assert!(backup.status.success(), "{backup:?}");
    for (witness, setting, nobody) in [
        ("redis", "HIGHWATER_REDIS_URL", "redis://127.0.0.1:1"),
        ("kafka", "HIGHWATER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
    ] {
        let run = |args: &'static [&str]| {
            let mut command = test.serving.command(args);
            command.env(setting, nobody);
            async { tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts") }
        };
        let output = run(&["verify", "--json"]).await;
        let verified = json(&output);
        assert_eq!((output.status.code(), &verified["good"]), (Some(2), &Value::Bool(false)), "{output:?}");
        assert_eq!(verified["not_compared"][0]["witness"], witness, "{verified}");
        assert_eq!(verified["backups"][0]["chains"][0]["next"], 10, "{verified}");
        let repair = run(&["verify", "--repair"]).await;
        assert!(repair.status.code() == Some(2) && repair.stdout.is_empty(), "{repair:?}");
    }
    let segments = json(&test.serving.run(&["segments", "--json"]).await);
    test.serving.delete_object(segments["segments"][0]["key"].as_str().expect("a key")).await;
    let mut command = test.serving.command(&["verify"]);
    command.env("HIGHWATER_REDIS_URL", "redis://127.0.0.1:1");
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("not compared with redis: "), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registers_that_were_deleted_raised_lowered_or_made_up_are_put_right_and_a_missing_tail_is_not() {
    let mut test = Test::new("repair").await;
    test.produce(10).await;
    let served = test.serving.serve().await;
    test.good().await;
    served.end().await;
    test.good().await;
    let (head, field) = (test.register(RegisterKind::Heads).await, test.field());
    let ghost = names::chain_field("ghost", 1, Partition(0));

    let raised = vec![head.order[0], head.order[1] + 1_000];
    let lowered = vec![head.order[0], head.order[1] - 5];
    for (what, order) in [("ahead", raised), ("behind", lowered)] {
        test.set(RegisterKind::Heads, &field, order, &head.value).await;
        test.set(RegisterKind::Heads, &ghost, head.order.clone(), &head.value).await;
        let floor =
            Operation::Remove { key: RegisterKind::Floors.key(&test.serving.backup), fields: vec![field.clone()] };
        test.store.apply(&[], &[floor]).await.expect("redis answers");
        assert!(!test.serving.verify().await.status.success());

        let repaired = json(&test.serving.run(&["verify", "--repair", "--json"]).await);
        let repairs = repaired["backups"][0]["repairs"].as_array().cloned().unwrap_or_default();
        let of = |field: &str| {
            let of_field = repairs.iter().filter(|it| it["field"] == field);
            of_field.map(|it| it["what"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        assert!(repaired["good"] == true && repairs.iter().all(|it| it["left_because"].is_null()), "{repaired}");
        assert_eq!(of(&field), [what, "missing"], "{repaired}");
        assert!(of(&ghost).contains(&"of no chain".to_owned()), "{repaired}");
        assert!(test.serving.verify().await.status.success());
        assert_eq!(test.register(RegisterKind::Heads).await, head);
    }

    let segments = json(&test.serving.run(&["segments", "--json"]).await);
    let last = segments["segments"].as_array().and_then(|all| all.last()).expect("segments")["key"].clone();
    test.serving.delete_object(last.as_str().expect("a key")).await;
    let output = test.serving.run(&["verify", "--repair"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && text.contains("left: ") && text.contains("accept-loss"), "{text}");
    assert_eq!(test.register(RegisterKind::Heads).await, head, "the last witness is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_beside_serve_costs_no_figure_anything() {
    let mut test = Test::new("repair-beside").await;
    let served = test.serving.serve().await;
    test.produce(10).await;
    test.good().await;
    for round in 0..3 {
        test.produce(20).await;
        let head = test.register(RegisterKind::Heads).await;
        test.set(
            RegisterKind::Heads,
            &test.field(),
            vec![head.order[0], head.order[1] + 1_000_000 + round],
            &head.value,
        )
        .await;
        let repaired = test.serving.run(&["verify", "--repair"]).await;
        assert!(repaired.status.success(), "{repaired:?}");
    }
    eventually("every record in the figures", WITHIN, || async {
        let series = served.series().await?;
        let name = format!("backup_sink_records_count{{topic=\"{}\"}}", test.serving.topic);
        if series.get(&name) == Some(&(test.produced as f64)) { Ok(()) } else { Err(format!("{name}: {series:?}")) }
    })
    .await;
    test.good().await;
    served.end().await;
}
