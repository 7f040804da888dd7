//! The storage that a command reads: the configured one, or a folder.

pub mod data_dir;

use std::sync::Arc;

use shared::{
    adapters::{s3::embedded::EmbeddedS3, settings},
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
