//! A Redis that is down, broken, of the wrong kind, behind TLS or behind Sentinel.

use std::time::{Duration, Instant};

use integration_tests::{eventually::eventually, gate::Gate, redis_server::RedisServer};
use shared::{
    adapters::redis::RedisStore,
    config::redis::RedisSettings,
    ports::store::{Advance, Applied, Operation, Query, Store as _, StoreError, Value, Waiting},
    record::Millis,
};

const TOLD_WITHIN: Duration = Duration::from_secs(1);
const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/redis-tls/ca.pem");
const TLS_FILES: [(&str, &[u8]); 2] = [
    ("/tls/server.pem", include_bytes!("../fixtures/redis-tls/server.pem")),
    ("/tls/server.key", include_bytes!("../fixtures/redis-tls/server.key")),
];

fn store_at(address: impl std::fmt::Display) -> RedisStore {
    RedisStore::open(&RedisSettings::at(format!("redis://{address}/0"))).unwrap()
}

fn add() -> [Operation; 1] {
    [Operation::Add { key: "a".into(), by: 1, expires: None }]
}

async fn counted(store: &RedisStore) -> Result<Option<String>, StoreError> {
    match store.read(&[Query::Text("a".into())]).await?.pop() {
        Some(Value::Text(text)) => Ok(text),
        other => panic!("a text was asked for, not {other:?}"),
    }
}

/// Both operations fail within a second, as something that may pass.
async fn assert_down(store: &RedisStore) {
    for _ in 0..2 {
        let since = Instant::now();
        let error = store.apply(&[], &add()).await.expect_err("redis is down");
        assert!(since.elapsed() < TOLD_WITHIN, "told after {:?}", since.elapsed());
        assert!(matches!(error, StoreError::Unavailable { .. }) && error.retry(), "{error:?}");
        let since = Instant::now();
        let error = counted(store).await.expect_err("redis is down");
        assert!(since.elapsed() < TOLD_WITHIN && error.retry(), "{error:?} after {:?}", since.elapsed());
    }
}

async fn eventually_counted(store: &RedisStore, count: &str) {
    let ask = || async {
        match counted(store).await {
            Ok(Some(text)) if text == count => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    eventually("redis to answer again", Duration::from_secs(10), ask).await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_told_within_a_second() {
    assert_down(&store_at("127.0.0.1:1")).await;
    // An address of the documentation's network: nothing answers, not even with a refusal.
    assert_down(&store_at("192.0.2.1:6379")).await;
    assert_down(&store_at("no-such-host.invalid:6379")).await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_told_within_a_second_and_used_again_when_it_answers() {
    let server = RedisServer::start().await;
    let store = store_at(server.address());
    store.apply(&[Advance { key: "p".into(), from: None, to: 1 }], &add()).await.unwrap();
    server.pause();
    assert_down(&store).await;
    server.unpause();
    // What was sent while it hung may be applied late: whether it was, only the position tells.
    let ask = || async { counted(&store).await.map_err(|error| error.to_string()) };
    eventually("redis to answer again", Duration::from_secs(10), ask).await;
    let stale = store.apply(&[Advance { key: "p".into(), from: None, to: 1 }], &add()).await.unwrap();
    assert_eq!(stale, Applied::Elsewhere(vec![Some(1)]));
}

#[tokio::test]
async fn a_broken_connection_is_made_again_by_itself() {
    let server = RedisServer::shared().await;
    let gate = Gate::in_front_of(server.address()).await;
    let number = server.new_database().url.rsplit_once('/').unwrap().1.to_owned();
    let store = RedisStore::open(&RedisSettings::at(format!("redis://{}/{number}", gate.address()))).unwrap();
    store.apply(&[], &add()).await.unwrap();
    for _ in 0..3 {
        gate.shut();
        assert_down(&store).await;
        gate.open();
        eventually_counted(&store, "1").await;
    }
}

#[tokio::test]
async fn a_server_that_forgot_the_script_is_told_it_again() {
    let server = RedisServer::start().await;
    let store = store_at(server.address());
    let mut connection = server.new_database().connect().await;
    for round in 1..=3 {
        store.apply(&[], &add()).await.unwrap();
        assert_eq!(counted(&store).await.unwrap(), Some(round.to_string()));
        let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn redis_cluster_is_refused_by_name() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes", "--databases", "1"], &[]).await;
    let store = store_at(server.address());
    for error in [store.check().await.unwrap_err(), store.apply(&[], &add()).await.unwrap_err()] {
        assert!(!error.retry());
        assert!(error.to_string().contains("this is a Redis Cluster, which highwater does not support"), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_with_the_setting_and_without_the_password() {
    let server = RedisServer::start_with(&["--requirepass", "right"], &[]).await;
    for (credentials, works) in [(":right@", true), (":hunter2@", false), ("", false)] {
        let url = format!("redis://{credentials}{}/0", server.address());
        let checked = RedisStore::open(&RedisSettings::at(url)).unwrap().check().await;
        assert_eq!(checked.is_ok(), works, "{checked:?}");
        let Err(error) = checked else { continue };
        let shown = format!("{error} {error:?}");
        assert!(!error.retry() && shown.contains("redis.url") && !shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn what_is_no_redis_url_is_refused_with_how_to_write_one() {
    for url in [
        "",
        "localhost:6379",
        "http://host",
        "redis://host/db",
        "redis://me:hunter2@host:port",
        "redis+sentinel://me:hunter2@host",
    ] {
        let Err(error) = RedisStore::open(&RedisSettings::at(url)) else { panic!("{url} was accepted") };
        let shown = format!("{error} {error:?}");
        assert!(!error.retry() && shown.contains("redis.url") && !shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn a_tls_endpoint_is_verified_by_the_given_authority() {
    let arguments =
        ["--port", "0", "--tls-port", "6379", "--tls-auth-clients", "no", "--tls-cert-file", "/tls/server.pem"];
    let arguments =
        [&arguments[..], &["--tls-key-file", "/tls/server.key", "--tls-ca-cert-file", "/tls/server.pem"]].concat();
    let server = RedisServer::start_with(&arguments, &TLS_FILES).await;
    let url = format!("rediss://{}/0", server.address());

    let trusted = RedisSettings { ca_file: Some(CA.into()), ..RedisSettings::at(&url) };
    let store = RedisStore::open(&trusted).unwrap();
    store.apply(&[], &add()).await.unwrap();
    assert_eq!(counted(&store).await.unwrap().as_deref(), Some("1"));

    let error = RedisStore::open(&RedisSettings::at(&url)).unwrap().check().await.unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert!(source.as_deref().is_some_and(|source| source.contains("certificate")), "{error:?}");

    let missing = RedisSettings { ca_file: Some("/no/such/file.pem".into()), ..RedisSettings::at(&url) };
    let Err(error) = RedisStore::open(&missing) else { panic!("a file that is not there was accepted") };
    assert!(error.to_string().contains("redis.ca_file /no/such/file.pem cannot be read"), "{error}");
}

#[tokio::test]
async fn sentinel_names_the_master() {
    let master = RedisServer::start().await;
    let sentinel = RedisServer::start_sentinel(&master).await;
    let url = format!("redis+sentinel://{}/figures/3", sentinel.address());
    let store = RedisStore::open(&RedisSettings::at(url)).unwrap();
    store.apply(&[], &add()).await.unwrap();
    let direct = RedisStore::open(&RedisSettings::at(format!("redis://{}/3", master.address()))).unwrap();
    assert_eq!(counted(&direct).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn a_full_server_is_asked_again_later_and_nothing_of_the_batch_is_applied() {
    let server = RedisServer::start().await;
    let store = store_at(server.address());
    store.apply(&[Advance { key: "p".into(), from: None, to: 1 }], &add()).await.unwrap();
    let mut connection = server.new_database().connect().await;
    let limit = async |connection: &mut redis::aio::MultiplexedConnection, bytes: &str| {
        let () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).query_async(connection).await.unwrap();
    };
    limit(&mut connection, "1").await;
    let remove = Operation::Remove { key: "h".into(), fields: vec!["f".into()] };
    let batch = [remove, add()[0].clone()];
    let error = store.apply(&[Advance { key: "p".into(), from: Some(1), to: 2 }], &batch).await.unwrap_err();
    assert!(error.retry(), "{error:?}");
    let unread = counted(&store).await.unwrap_err();
    assert!(unread.retry(), "a full server answers no query, and is asked again later: {unread:?}");
    limit(&mut connection, "0").await;
    assert_eq!(counted(&store).await.unwrap().as_deref(), Some("1"));
    let applied = store.apply(&[Advance { key: "p".into(), from: Some(1), to: 2 }], &batch).await.unwrap();
    assert_eq!(applied, Applied::Done, "the position had not moved");
}

async fn run(store: &RedisStore) -> Option<String> {
    match store.read(&[Query::Text("a".into()), Query::Run]).await.unwrap().pop() {
        Some(Value::Text(text)) => text,
        other => panic!("a text was asked for, not {other:?}"),
    }
}

async fn connection(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(format!("redis://{}/0", server.address())).expect("a url");
    client.get_multiplexed_async_connection().await.expect("a connection")
}

#[tokio::test]
async fn a_server_that_followed_another_in_between_is_another_run_also_on_the_same_connection() {
    let server = RedisServer::start().await;
    let store = store_at(server.address());
    let before = run(&store).await;
    assert!(before.is_some());
    assert_eq!(run(&store).await, before);
    let mut connection = connection(&server).await;
    for master in [["127.0.0.1", "1"], ["NO", "ONE"]] {
        let () = redis::cmd("REPLICAOF").arg(&master).query_async(&mut connection).await.unwrap();
    }
    assert_ne!(run(&store).await, before);
}

#[tokio::test]
async fn a_user_who_lacks_a_command_changes_nothing() {
    let server = RedisServer::start().await;
    let mut connection = connection(&server).await;
    let add = Operation::Add { key: "a".into(), by: 1, expires: Some(Millis(i64::MAX / 2)) };
    let max = Operation::Max { key: "h".into(), field: "f".into(), order: vec![1], value: "v".into() };
    let remove = Operation::Remove { key: "h".into(), fields: vec!["g".into()] };
    let contribute = Operation::Contribute {
        key: "x".into(),
        order: vec![1],
        adds: vec![],
        keeps: vec![],
        waits: vec![Waiting { set: "w".into(), since: Some(Millis(7)) }, Waiting { set: "v".into(), since: None }],
        expires: Some(Millis(i64::MAX / 2)),
        only_known: false,
    };
    let advance = Advance { key: "p".into(), from: None, to: 1 };
    for lacking in ["pexpireat", "hset", "hdel", "incrby", "mget", "zadd", "zrem", "time", "unlink"] {
        let () = redis::cmd("ACL")
            .arg(&["SETUSER", "limited", "reset", "on", ">secret", "~*", "&*", "+@all"])
            .arg(format!("-{lacking}"))
            .query_async(&mut connection)
            .await
            .unwrap();
        let store =
            RedisStore::open(&RedisSettings::at(format!("redis://limited:secret@{}/0", server.address()))).unwrap();
        let forget = Operation::Forget { key: "f".into() };
        let operations = [max.clone(), add.clone(), remove.clone(), contribute.clone(), forget];
        let error = store.apply(std::slice::from_ref(&advance), &operations).await.expect_err(lacking);
        assert!(matches!(&error, StoreError::Refused { .. }), "{lacking}: {error:?}");
        assert!(error.to_string().to_lowercase().contains(lacking), "{error}");
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        assert_eq!(keys, [""; 0], "{lacking}");
    }
}
