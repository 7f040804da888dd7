//! The storage that a command reads: the configured one, or a folder.

pub mod data_dir;

use std::{path::PathBuf, sync::Arc};

use shared::{
    adapters::{
        s3::{S3Objects, embedded::EmbeddedS3},
        settings,
    },
    config::{Settings, StorageSettings},
    ports::objects::Objects,
};

use crate::{cli::StorageArgs, connect, failure::Failure};

/// An open storage.
pub struct Storage {
    /// Its objects.
    pub objects: Arc<dyn Objects>,
    /// Where they are for other programs.
    pub place: Place,
    /// The settings, where there are any; a folder needs none.
    pub settings: Option<Settings>,
    /// Serves the folder while it is read.
    _server: Option<EmbeddedS3>,
}

/// Where objects are for programs that know nothing of Highwater.
pub enum Place {
    /// Files below this folder.
    Folder(PathBuf),
    /// Objects of a bucket.
    Bucket(Box<StorageSettings>),
}

impl Place {
    /// An object's path or URL.
    #[must_use]
    pub fn of_key(&self, key: &str) -> String {
        match self {
            Place::Folder(folder) => folder.join(key).display().to_string(),
            Place::Bucket(settings) => format!("s3://{}/{}{key}", settings.url.bucket(), settings.url.key_prefix()),
        }
    }
}

/// Opens the folder of `--data-dir`, or else the configured storage.
pub async fn open(config: Option<&str>, args: &StorageArgs) -> Result<Storage, Failure> {
    if let Some(folder) = &args.data_dir {
        let (settings, server) = data_dir::open(folder).await?;
        let (objects, place) = (connect::storage(&settings).await?, Place::Folder(data_dir::objects(folder)));
        return Ok(Storage { objects, place, settings: None, _server: server });
    }
    let settings = settings::load(config).await?;
    let bucket = settings.storage()?;
    let (objects, place) = (connect::storage(bucket).await?, Place::Bucket(Box::new(bucket.clone())));
    Ok(Storage { objects, place, settings: Some(settings), _server: None })
}

/// Opens a replication location as the storage that it is.
pub async fn open_location(config: Option<&str>, name: &str) -> Result<Storage, Failure> {
    let settings = settings::load(config).await?;
    let found = settings.locations.iter().find(|(location, _)| location.as_str() == name);
    let unknown =
        || Failure::Usage(format!("no location {name:?} is configured: add [locations.{name}], or name one that is"));
    let (_, location) = found.ok_or_else(unknown)?;
    let objects = Arc::new(S3Objects::connect(&format!("locations.{name}"), location).await?);
    let place = Place::Bucket(Box::new(location.clone()));
    Ok(Storage { objects, place, settings: Some(settings), _server: None })
}
