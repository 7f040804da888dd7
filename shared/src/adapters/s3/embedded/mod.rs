//! The S3 server that `highwater dev` and tests embed: s3s in front of a folder, on the loopback only.
//!
//! Its conditional PUT is atomic, which is why the folder is our own and not s3s-fs: that one checks and then renames,
//! keeps the entity tag in a second file, and reads the whole bucket for each listing.

mod api;
mod folder;
mod listing;
mod translate;
mod upload;

use std::{io, net::SocketAddr, path::Path, path::PathBuf, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::{
    S3Result,
    auth::{S3Auth, SecretKey},
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::{
    api::Api,
    folder::{Folder, FolderError},
};
use crate::{
    adapters::system_clock::SystemClock,
    config::{
        secret::Secret,
        storage::{StorageSettings, StorageUrl},
    },
};

/// The access key of every embedded server.
pub const ACCESS_KEY_ID: &str = "highwater";
/// Its secret access key. It protects nothing: the server is on the loopback, and its folder is the user's.
pub const SECRET_ACCESS_KEY: &str = "highwater-dev";
/// Its region.
pub const REGION: &str = "us-east-1";

const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
const REQUESTS_END_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running server. Dropping it stops it without waiting.
pub struct EmbeddedS3 {
    address: SocketAddr,
    folder: PathBuf,
    api: Api,
    connections: TaskTracker,
    stop: CancellationToken,
    _stopped_when_dropped: DropGuard,
}

/// Why the embedded server does not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// It has well-known credentials, so it is served to this machine only.
    #[error("the embedded S3 is for this machine only, and {0} is not on the loopback: listen on 127.0.0.1")]
    NotLoopback(SocketAddr),
    /// Another process serves the folder.
    #[error("the folder {0:?} is in use by another highwater: stop that one, or choose another --data-dir")]
    FolderInUse(PathBuf),
    /// The folder cannot be used.
    #[error("the embedded S3 cannot keep objects in {folder:?}: choose another --data-dir")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("the embedded S3 cannot listen on {address}: choose another address, or port 0 for any")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl EmbeddedS3 {
    /// Serves `folder` on `address` (port 0: any), with `bucket` in it.
    ///
    /// # Errors
    /// Where the folder or the address cannot be used, each by name.
    pub async fn start(folder: &Path, address: SocketAddr, bucket: &str) -> Result<Self, EmbeddedError> {
        if !address.ip().is_loopback() {
            return Err(EmbeddedError::NotLoopback(address));
        }
        let api = Api { folder: Arc::new(open(folder, bucket)?) };
        let listen = |source| EmbeddedError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        connections.spawn(accept(listener, service(api.clone()), connections.clone(), stop.clone()));
        let folder = folder.to_owned();
        Ok(EmbeddedS3 { address, folder, api, connections, _stopped_when_dropped: stop.clone().drop_guard(), stop })
    }

    /// Makes a bucket where it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create_bucket(&self, name: &str) -> Result<(), EmbeddedError> {
        let folder = self.folder.clone();
        self.api.folder.create_bucket(name).map_err(|source| EmbeddedError::Folder { folder, source })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The settings of a client for `url` at this server.
    ///
    /// # Panics
    /// Never: an address is a valid endpoint.
    #[must_use]
    pub fn settings(&self, url: StorageUrl) -> StorageSettings {
        StorageSettings {
            endpoint_url: Some(
                format!("http://{}", self.address).parse().expect("a socket address is a valid endpoint"),
            ),
            region: Some(REGION.to_owned()),
            access_key_id: Some(ACCESS_KEY_ID.to_owned()),
            secret_access_key: Some(Secret::new(SECRET_ACCESS_KEY)),
            ..StorageSettings::new(url)
        }
    }

    /// Takes no more requests, and waits for those under way, for five seconds at most.
    pub async fn stop(self) {
        self.stop.cancel();
        self.connections.close();
        if tokio::time::timeout(REQUESTS_END_TIMEOUT, self.connections.wait()).await.is_err() {
            tracing::warn!("requests to the embedded S3 were cut off after {REQUESTS_END_TIMEOUT:?}");
        }
    }
}

fn open(folder: &Path, bucket: &str) -> Result<Folder<SystemClock>, EmbeddedError> {
    let unusable = |source: io::Error| match source.kind() {
        io::ErrorKind::WouldBlock => EmbeddedError::FolderInUse(folder.to_owned()),
        _ => EmbeddedError::Folder { folder: folder.to_owned(), source },
    };
    let opened = Folder::open(folder, SystemClock).map_err(unusable)?;
    opened.create_bucket(bucket).map_err(unusable)?;
    Ok(opened)
}

fn service(api: Api) -> S3Service {
    let mut builder = S3ServiceBuilder::new(api);
    builder.set_auth(DevCredentials);
    builder.build()
}

/// Answers as AWS does to an unknown access key.
struct DevCredentials;

#[async_trait::async_trait]
impl S3Auth for DevCredentials {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY_ID {
            return Ok(SecretKey::from(SECRET_ACCESS_KEY));
        }
        Err(s3_error!(InvalidAccessKeyId, "the access key of this server is {ACCESS_KEY_ID}"))
    }
}

async fn accept(listener: TcpListener, service: S3Service, connections: TaskTracker, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(connections.spawn(serve(stream, service.clone(), stop.clone()))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// One connection. A client that breaks it off is no concern of the server's.
async fn serve(stream: TcpStream, service: S3Service, stop: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Runs a folder's call where it may block.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, FolderError> + Send + 'static) -> S3Result<T> {
    tokio::task::spawn_blocking(call).await.map_err(translate::failure)?.map_err(translate::folder_failure)
}
