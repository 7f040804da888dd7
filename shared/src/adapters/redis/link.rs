//! The connection to Redis: made when it is needed, dropped when it fails, never waited for longer than the time-out.

use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind, TlsCertificates,
    aio::MultiplexedConnection, sentinel::SentinelClient,
};
use tokio::time::timeout;

use super::{error, sentinel::SentinelUrl};
use crate::{config::redis::RedisSettings, ports::store::StoreError};

/// One connection, shared by all calls and made again after it failed.
pub(super) struct Link {
    connector: tokio::sync::Mutex<Connector>,
    connection: Mutex<Option<Connected>>,
    timeout: Duration,
    /// The URL without credentials, for errors.
    pub(super) shown_url: String,
}

/// A connection, and whose it is.
#[derive(Clone)]
pub(super) struct Connected {
    pub(super) connection: MultiplexedConnection,
    /// Whether this user may ask the server which run of it this is.
    pub(super) tells_run: bool,
}

enum Connector {
    Server(Box<Client>),
    Sentinel(Box<SentinelClient>),
}

impl Link {
    /// Prepares the connection; nothing is sent yet.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, StoreError> {
        let url = settings.shown_url();
        let refused = |message| StoreError::Refused { operation: "open", url: url.clone(), message };
        let connector = tokio::sync::Mutex::new(Connector::new(settings).map_err(refused)?);
        Ok(Link { connector, connection: Mutex::default(), timeout: settings.timeout.0, shown_url: url })
    }

    /// Runs `call` on the connection, all of it within the time-out.
    pub(super) async fn run<T, F: Future<Output = RedisResult<T>>>(
        &self,
        operation: &'static str,
        call: impl FnOnce(Connected) -> F,
    ) -> Result<T, StoreError> {
        let answer = timeout(self.timeout, async { call(self.connected().await?).await }).await;
        answer.unwrap_or_else(|_| Err(self.timed_out())).map_err(|failure| {
            if error::breaks_connection(&failure) {
                *self.held() = None;
            }
            error::store_error(operation, &self.shown_url, failure)
        })
    }

    fn timed_out(&self) -> RedisError {
        let message = format!("no answer within {} ms (redis.timeout)", self.timeout.as_millis());
        std::io::Error::new(std::io::ErrorKind::TimedOut, message).into()
    }

    fn held(&self) -> MutexGuard<'_, Option<Connected>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connected(&self) -> RedisResult<Connected> {
        if let Some(connected) = &*self.held() {
            return Ok(connected.clone());
        }
        let mut connector = self.connector.lock().await;
        if let Some(connected) = &*self.held() {
            return Ok(connected.clone());
        }
        let mut connection = connector.connect(self.timeout).await?;
        let tells_run = inspect(&mut connection, &self.shown_url).await?;
        Ok(self.held().insert(Connected { connection, tells_run }).clone())
    }
}

impl Connector {
    fn new(settings: &RedisSettings) -> Result<Self, String> {
        let ca = settings.ca_file.as_ref().map(|path| {
            std::fs::read(path).map_err(|e| format!("redis.ca_file {} cannot be read: {e}", path.display()))
        });
        let certificates = ca.transpose()?.map(|root| TlsCertificates { client_tls: None, root_cert: Some(root) });
        let url = settings.url.reveal();
        match SentinelUrl::parse(url)? {
            Some(sentinel) => {
                sentinel.client().map(|client| Connector::Sentinel(Box::new(client))).map_err(|e| invalid(&e))
            }
            None => Self::server(url, certificates)
                .map(|client| Connector::Server(Box::new(client)))
                .map_err(|e| invalid(&e)),
        }
    }

    fn server(url: &str, certificates: Option<TlsCertificates>) -> RedisResult<Client> {
        match certificates {
            Some(certificates) => Client::build_with_tls(url, certificates),
            None => Client::open(url),
        }
    }

    async fn connect(&mut self, timeout: Duration) -> RedisResult<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(timeout)).set_response_timeout(Some(timeout));
        match self {
            Connector::Server(client) => client.get_multiplexed_async_connection_with_config(&config).await,
            Connector::Sentinel(client) => client.get_async_connection_with_config(&config).await,
        }
    }
}

fn invalid(error: &RedisError) -> String {
    format!(
        "redis.url is not usable: {error}; write redis://host:6379/0, rediss://host:6379/0 (TLS) or \
         redis+sentinel://host:26379,host:26379/master-name/0, credentials as user:password@ before the host"
    )
}

/// What `INFO` tells under a name.
pub(super) fn told<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Looks at what kind of server this is: refuses Redis Cluster, warns where keys may be evicted. Answers whether it may be
/// asked.
async fn inspect(connection: &mut MultiplexedConnection, shown_url: &str) -> RedisResult<bool> {
    let info: String = match redis::cmd("INFO").query_async(connection).await {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => return Ok(false),
        info => info?,
    };
    if told(&info, "cluster_enabled") == Some("1") {
        return Err((ErrorKind::InvalidClientConfig, "refused", error::CLUSTER.to_owned()).into());
    }
    if let Some(policy) = told(&info, "maxmemory_policy").filter(|policy| *policy != "noeviction") {
        tracing::warn!(redis = shown_url, policy, "redis may evict figures: set maxmemory-policy to noeviction");
    }
    Ok(true)
}
