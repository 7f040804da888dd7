//! Where settings come from: the process's environment, a file, the files of secrets.
#![allow(clippy::disallowed_methods, reason = "this adapter is where the environment is read")]

use std::{collections::BTreeMap, path::Path};

use super::{
    s3::S3Objects,
    secrets_manager::{self, SecretArn},
};
use crate::{
    config::{
        Draft, Problems, Settings,
        environment::{ALIASES, CONFIG_VARIABLE, PREFIX},
    },
    ports::objects::{GetRange, Objects as _, ObjectsError},
};

/// Reads the settings that `given` or else `HIGHWATER_CONFIG` names (a path, an `s3://` URL, or the text itself), with the
/// environment over them. Neither: the environment alone.
///
/// # Errors
/// When there is nothing at that place, or something is wrong with what is there.
pub async fn load(given: Option<&str>) -> Result<Settings, SettingsError> {
    Ok(load_with_secrets(given).await?.0)
}

/// The same, and the secrets that were read from elsewhere, where they are rotated.
///
/// # Errors
/// As [`load`].
pub async fn load_with_secrets(given: Option<&str>) -> Result<(Settings, Secrets), SettingsError> {
    let environment = environment()?;
    let place = given.or(environment.get(CONFIG_VARIABLE).map(String::as_str)).unwrap_or_default();
    let text = match is_stored(place) {
        true => Box::pin(stored(place, &environment)).await?,
        false => text(place).await?,
    };
    let wrong = |problems| SettingsError::Wrong { place: shown(place), problems };
    let mut draft = Draft::new(&text, &environment).map_err(wrong)?;
    let secrets = put_secrets(&mut draft).await?;
    Ok((draft.settings().map_err(wrong)?, secrets))
}

/// Secrets that were read from files and from AWS Secrets Manager.
pub struct Secrets(Vec<SecretRead>);

struct SecretRead {
    setting: String,
    /// The file, or the secret's ARN.
    place: String,
    content: String,
}

impl Secrets {
    /// The first setting whose secret is another now. One that cannot be read now, or is empty as a file that is being written, is
    /// taken for what it was.
    pub async fn changed(&self) -> Option<&str> {
        for SecretRead { setting, place, content } in &self.0 {
            match secret(setting, place).await {
                Ok(now) if !now.trim().is_empty() && now.trim_end() != content.trim_end() => return Some(setting),
                Ok(_) => {}
                Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "{error}"),
            }
        }
        None
    }
}

async fn put_secrets(draft: &mut Draft) -> Result<Secrets, SettingsError> {
    let mut read = vec![];
    for (path, place) in draft.secret_files() {
        let setting = path.join(".");
        let content = secret(&setting, &place).await?;
        draft.set_secret(&path, &content);
        read.push(SecretRead { setting, place, content });
    }
    Ok(Secrets(read))
}

/// What is at a place, which the setting of this name is read from.
async fn secret(setting: &str, place: &str) -> Result<String, SettingsError> {
    let setting = setting.to_owned();
    match SecretArn::parse(place) {
        Some(arn) => {
            let managed = |why| SettingsError::Managed { setting, secret: place.to_owned(), why };
            secrets_manager::read(arn).await.map_err(managed)
        }
        None => {
            let unread = |source| SettingsError::Secret { setting, file: place.to_owned(), source };
            tokio::fs::read_to_string(place).await.map_err(unread)
        }
    }
}

/// The text of an object. Its store is the one that the environment's settings for `storage` describe, or AWS.
async fn stored(place: &str, environment: &BTreeMap<String, String>) -> Result<String, SettingsError> {
    let wrong = |problems| SettingsError::Wrong { place: CONFIG_VARIABLE.to_owned(), problems };
    let (folder, key) = place.rsplit_once('/').unwrap_or((place, ""));
    let mut draft = Draft::new("", environment).map_err(wrong)?;
    put_secrets(&mut draft).await?;
    let storage = draft.storage_at(folder).map_err(wrong)?;
    let unread = |source| SettingsError::Stored { place: place.to_owned(), source };
    let object = S3Objects::connect("storage", &storage).await.map_err(unread)?.get(key, GetRange::Whole).await;
    let object = object.map_err(unread)?.ok_or_else(|| SettingsError::Absent(place.to_owned()))?;
    String::from_utf8(object.body.to_vec()).map_err(|_| SettingsError::NotText(format!("the configuration {place:?}")))
}

/// The variables that are settings.
fn environment() -> Result<BTreeMap<String, String>, SettingsError> {
    let all = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    all.filter(|(name, _)| name.starts_with(PREFIX) || ALIASES.iter().any(|(alias, _)| alias == name))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsError::NotText(format!("the environment variable {name}"))),
        })
        .collect()
}

async fn text(place: &str) -> Result<String, SettingsError> {
    if place.is_empty() || is_text(place) {
        return Ok(place.to_owned());
    }
    tokio::fs::read_to_string(Path::new(place))
        .await
        .map_err(|source| SettingsError::Read { place: place.to_owned(), source })
}

fn is_stored(place: &str) -> bool {
    place.starts_with("s3://") && !place.contains('\n')
}

/// A configuration has a line end or an assignment; a path has neither.
fn is_text(place: &str) -> bool {
    place.contains(['\n', '='])
}

fn shown(place: &str) -> String {
    match place {
        "" => "the environment".to_owned(),
        url if is_stored(url) => url.to_owned(),
        text if is_text(text) => CONFIG_VARIABLE.to_owned(),
        path => path.to_owned(),
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("the configuration {place:?} cannot be read: name an existing file with --config or {CONFIG_VARIABLE}")]
    Read {
        /// Its path.
        place: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The object cannot be read.
    #[error(
        "the configuration {place:?} cannot be read: correct {CONFIG_VARIABLE}, or S3_ENDPOINT_URL and AWS_REGION for its store"
    )]
    Stored {
        /// Its URL.
        place: String,
        /// Why.
        #[source]
        source: ObjectsError,
    },
    /// There is no such object.
    #[error("the configuration {0:?} does not exist: store it there, or correct {CONFIG_VARIABLE}")]
    Absent(String),
    /// A secret's file cannot be read.
    #[error("{setting}: the file {file:?} cannot be read")]
    Secret {
        /// Which setting.
        setting: String,
        /// Its file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A secret cannot be had from AWS Secrets Manager.
    #[error("{setting}: secret {secret:?} cannot be read: {why}")]
    Managed {
        /// Which setting.
        setting: String,
        /// Its ARN.
        secret: String,
        /// Why, and what to do.
        why: String,
    },
    /// A variable, or the configuration, is not UTF-8.
    #[error("{0} is not valid UTF-8")]
    NotText(String),
    /// What was read is wrong.
    #[error("{place}:\n{problems}")]
    Wrong {
        /// Where it came from.
        place: String,
        /// Everything that is wrong.
        problems: Problems,
    },
}
