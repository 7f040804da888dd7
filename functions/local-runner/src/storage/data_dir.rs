//! The folder that `highwater dev` keeps its objects in.
//!
//! ```text
//! <folder>/s3/<bucket>/...   what the embedded S3 holds
//! <folder>/endpoint          where it listens, while it runs
//! ```

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use shared::{
    adapters::s3::embedded::{ACCESS_KEY_ID, EmbeddedError, EmbeddedS3, REGION, SECRET_ACCESS_KEY},
    config::{
        StorageSettings,
        secret::Secret,
        storage::{EndpointUrl, StorageUrl},
    },
};

use crate::failure::Failure;

/// The bucket of the embedded S3.
pub const BUCKET: &str = "highwater";
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The bucket's url.
///
/// # Panics
/// Never: the name is a valid bucket.
#[must_use]
pub fn url() -> StorageUrl {
    format!("s3://{BUCKET}").parse().expect("the constant above is a valid bucket name")
}

/// The bucket that stands for another location.
pub const REPLICA_BUCKET: &str = "highwater-us-east-1";

/// The url of that bucket.
///
/// # Panics
/// Never: the name is a valid bucket.
#[must_use]
pub fn replica_url() -> StorageUrl {
    format!("s3://{REPLICA_BUCKET}").parse().expect("the constant above is a valid bucket name")
}

/// Where the embedded S3 keeps its objects, each in a file of its key.
#[must_use]
pub fn objects(folder: &Path) -> PathBuf {
    folder.join("s3").join(BUCKET)
}

/// Serves the folder, made where it is not there, on the loopback; port 0: any.
pub async fn serve(folder: &Path, port: u16) -> Result<EmbeddedS3, EmbeddedError> {
    let server = EmbeddedS3::start(&folder.join("s3"), SocketAddr::new(ANY_PORT.ip(), port), BUCKET).await?;
    server.create_bucket(REPLICA_BUCKET)?;
    Ok(server)
}

/// Says where the folder is being served, for [`open`] in another process.
pub async fn announce(folder: &Path, server: &EmbeddedS3) -> io::Result<()> {
    tokio::fs::write(endpoint_file(folder), format!("http://{}\n", server.address())).await
}

/// Takes back what [`announce`] said.
pub async fn renounce(folder: &Path) -> io::Result<()> {
    tokio::fs::remove_file(endpoint_file(folder)).await
}

/// The folder's storage, served by this process, or by the `highwater dev` that runs on it.
pub async fn open(folder: &Path) -> Result<(StorageSettings, Option<EmbeddedS3>), Failure> {
    if !folder.join("s3").is_dir() {
        let what = format!("--data-dir {}: `highwater dev` kept nothing in this folder", folder.display());
        return Err(Failure::Usage(what));
    }
    match serve(folder, 0).await {
        Ok(server) => Ok((server.settings(url()), Some(server))),
        Err(EmbeddedError::FolderInUse(_)) => Ok((served_elsewhere(folder).await?, None)),
        Err(error) => Err(error.into()),
    }
}

async fn served_elsewhere(folder: &Path) -> Result<StorageSettings, Failure> {
    let file = endpoint_file(folder);
    let unreadable = |source| Failure::Io { what: format!("{} cannot be read", file.display()), source };
    let text = tokio::fs::read_to_string(&file).await.map_err(unreadable)?;
    let endpoint: Result<EndpointUrl, String> = text.trim().parse();
    let endpoint = endpoint.map_err(|why| Failure::Usage(format!("{}: {why}", file.display())))?;
    Ok(StorageSettings {
        endpoint_url: Some(endpoint),
        region: Some(REGION.to_owned()),
        access_key_id: Some(ACCESS_KEY_ID.to_owned()),
        secret_access_key: Some(Secret::new(SECRET_ACCESS_KEY)),
        ..StorageSettings::new(url())
    })
}

fn endpoint_file(folder: &Path) -> PathBuf {
    folder.join("endpoint")
}
