//! The storage that a command reads: the configured one, or a folder.

pub mod data_dir;

use std::sync::Arc;

use shared::{
    adapters::{
        s3::{S3Objects, embedded::EmbeddedS3},
        settings,
    },
    config::Settings,
    ports::objects::Objects,
};

use crate::{cli::StorageArgs, connect, failure::Failure};

/// An open storage.
pub struct Storage {
    /// Its objects.
    pub objects: Arc<dyn Objects>,
    /// The settings, where there are any; a folder needs none.
    pub settings: Option<Settings>,
    /// Serves the folder while it is read.
    _server: Option<EmbeddedS3>,
}

/// Opens the folder of `--data-dir`, or else the configured storage.
pub async fn open(config: Option<&str>, args: &StorageArgs) -> Result<Storage, Failure> {
    if let Some(folder) = &args.data_dir {
        let (place, server) = data_dir::open(folder).await?;
        return Ok(Storage { objects: connect::storage(&place).await?, settings: None, _server: server });
    }
    let settings = settings::load(config).await?;
    let objects = connect::storage(settings.storage()?).await?;
    Ok(Storage { objects, settings: Some(settings), _server: None })
}

/// Opens a replication location as the storage that it is.
pub async fn open_location(config: Option<&str>, name: &str) -> Result<Storage, Failure> {
    let settings = settings::load(config).await?;
    let found = settings.locations.iter().find(|(location, _)| location.as_str() == name);
    let unknown =
        || Failure::Usage(format!("no location {name:?} is configured: add [locations.{name}], or name one that is"));
    let (_, place) = found.ok_or_else(unknown)?;
    let objects = Arc::new(S3Objects::connect(&format!("locations.{name}"), place).await?);
    Ok(Storage { objects, settings: Some(settings), _server: None })
}
