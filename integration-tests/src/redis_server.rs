//! A real Redis server.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use redis::aio::MultiplexedConnection;
use testcontainers::{
    ContainerAsync, ImageExt as _,
    core::{ExecCommand, IntoContainerPort as _, WaitFor},
};
use testcontainers_modules::redis::Redis;

use crate::backend::{self, Shared};

/// Databases that the shared server has: one for each test that asks.
const DATABASES: u32 = 1024;

/// A Redis server in a container.
pub struct RedisServer {
    container: ContainerAsync<Redis>,
    address: String,
    databases_given: AtomicU32,
}

/// One database of a server.
#[derive(Debug, Clone)]
pub struct Database {
    /// Where it is, as `redis://host:port/number`.
    pub url: String,
}

impl RedisServer {
    /// The server that all tests share.
    pub async fn shared() -> &'static RedisServer {
        static SHARED: Shared<RedisServer> = Shared::const_new();
        SHARED.get_or_init(RedisServer::start).await
    }

    /// A server of one's own, for a test that pauses it; it goes when dropped.
    pub async fn start() -> RedisServer {
        Self::start_with(&[], &[]).await
    }

    /// A server of one's own with more arguments, and files in its container.
    pub async fn start_with(arguments: &[&str], files: &[(&str, &[u8])]) -> RedisServer {
        let databases = DATABASES.to_string();
        let usual =
            ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--databases", &databases];
        let (_, tag) = backend::image("redis");
        let request = Redis::default().with_tag(tag).with_mapped_port(backend::lasting_port(), 6379.tcp());
        let request = request.with_cmd(usual.iter().chain(arguments).copied());
        let request = files.iter().fold(request, |request, (path, bytes)| request.with_copy_to(*path, bytes.to_vec()));
        Self::of(backend::start(request).await).await
    }

    /// A sentinel that watches `master` under the name `figures`.
    pub async fn start_sentinel(master: &RedisServer) -> RedisServer {
        let address = master.address_on_bridge().await;
        let watch = format!("sentinel monitor figures {address} 6379 1");
        let script = format!(
            "echo '{watch}' > /tmp/sentinel.conf; exec redis-server /tmp/sentinel.conf --sentinel --port 6379 --protected-mode no"
        );
        let (_, tag) = backend::image("redis");
        let request = Redis::default().with_tag(tag).with_cmd(["sh", "-c", &script]);
        let request = request.with_ready_conditions(vec![WaitFor::message_on_stdout("+monitor master")]);
        Self::of(backend::start(request).await).await
    }

    async fn of(container: ContainerAsync<Redis>) -> RedisServer {
        let port = container.get_host_port_ipv4(6379.tcp()).await.expect("redis's port is published");
        RedisServer { container, address: format!("127.0.0.1:{port}"), databases_given: AtomicU32::new(0) }
    }

    /// Its own address among the containers: the last one that its hosts file names.
    async fn address_on_bridge(&self) -> String {
        let mut read = self.container.exec(ExecCommand::new(["cat", "/etc/hosts"])).await.expect("a file is read");
        let hosts = String::from_utf8(read.stdout_to_vec().await.expect("its text")).expect("text");
        let last = hosts.lines().rev().find_map(|line| line.split_whitespace().next());
        last.expect("a container has an address on the bridge").to_owned()
    }

    /// Where it is, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// An empty database that nobody else was given.
    pub fn new_database(&self) -> Database {
        let number = self.databases_given.fetch_add(1, Ordering::Relaxed);
        assert!(number < DATABASES, "all {DATABASES} databases of the shared Redis are given away");
        Database { url: format!("redis://{}/{number}", self.address) }
    }

    /// Empties all databases (FLUSHALL). Only for a server of one's own.
    pub async fn wipe_all(&self) {
        let mut connection = self.new_database().connect().await;
        let wiped: Result<(), _> = redis::cmd("FLUSHALL").query_async(&mut connection).await;
        wiped.unwrap_or_else(|error| panic!("cannot wipe redis at {}: {error}", self.address));
    }

    /// Writes a snapshot of what it holds (SAVE): [`RedisServer::restart`] goes back to it. Only for a server of one's own.
    pub async fn save(&self) {
        let mut connection = self.new_database().connect().await;
        let saved: Result<(), _> = redis::cmd("SAVE").query_async(&mut connection).await;
        saved.unwrap_or_else(|error| panic!("redis at {} cannot save: {error}", self.address));
    }

    /// Kills the server and starts it again: it has forgotten everything since its last snapshot. Only for a server of one's own.
    pub async fn restart(&self) {
        backend::restart(&self.container).await;
    }

    /// The server answers nothing until [`RedisServer::unpause`]. Only for a server of one's own.
    pub fn pause(&self) {
        backend::pause(&self.container);
    }

    /// The server answers again.
    pub fn unpause(&self) {
        backend::resume(&self.container);
    }
}

impl Database {
    /// A connection to it.
    pub async fn connect(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url.as_str()).expect("a redis URL");
        // A server with a million keys takes its time for some commands.
        let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
        let connection = client.get_multiplexed_async_connection_with_config(&patient).await;
        connection.unwrap_or_else(|error| panic!("cannot connect to {}: {error}", self.url))
    }

    /// Empties it.
    pub async fn wipe(&self) {
        let wiped: Result<(), _> = redis::cmd("FLUSHDB").query_async(&mut self.connect().await).await;
        wiped.unwrap_or_else(|error| panic!("cannot wipe {}: {error}", self.url));
    }
}
