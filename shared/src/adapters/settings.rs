//! Where settings come from: the process's environment, a file, the files of secrets.
#![allow(clippy::disallowed_methods, reason = "this adapter is where the environment is read")]

use std::{collections::BTreeMap, path::Path};

use crate::config::{
    Draft, Problems, Settings,
    environment::{ALIASES, CONFIG_VARIABLE, PREFIX},
};

/// Reads the settings that `given` or else `HIGHWATER_CONFIG` names (a path, or the text itself), with the environment
/// over them. Neither: the environment alone.
pub async fn load(given: Option<&str>) -> Result<Settings, SettingsError> {
    let environment = environment()?;
    let place = given.or(environment.get(CONFIG_VARIABLE).map(String::as_str)).unwrap_or_default();
    let text = text(place).await?;
    let wrong = |problems| SettingsError::Wrong { place: shown(place), problems };
    let mut draft = Draft::new(&text, &environment).map_err(wrong)?;
    for (path, file) in draft.secret_files() {
        let secret = tokio::fs::read_to_string(&file).await.map_err(|source| SettingsError::Secret {
            setting: path.join("."),
            file,
            source,
        })?;
        draft.set_secret(&path, &secret);
    }
    draft.settings().map_err(wrong)
}

/// The variables that are settings.
fn environment() -> Result<BTreeMap<String, String>, SettingsError> {
    let all = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    all.filter(|(name, _)| name.starts_with(PREFIX) || ALIASES.iter().any(|(alias, _)| alias == name))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsError::NotText(name)),
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

/// A configuration has a line end or an assignment; a path has neither.
fn is_text(place: &str) -> bool {
    place.contains(['\n', '='])
}

fn shown(place: &str) -> String {
    match place {
        "" => "the environment".to_owned(),
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
    /// A variable is not UTF-8.
    #[error("the environment variable {0} is not valid UTF-8")]
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
