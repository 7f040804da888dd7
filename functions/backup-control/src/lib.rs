//! backup-control: pauses and resumes backups and topics of them.
//!
//! A pause is an object in the storage ([`shared::archive::pause`]), so it needs neither Kafka nor Redis, survives every
//! restart, and is obeyed by each segment-writer within one refresh. The command line and HTTP ask the same [`control`].
//!
//! | request | does | answers |
//! |---|---|---|
//! | `POST /_/highwater/api/pause/<backup>[/<topic>]` | pauses | `{}` |
//! | `POST /_/highwater/api/resume/<backup>[/<topic>]` | ends that pause | `{}` |
//! | `GET /_/highwater/api/status[/<backup>]` | | [`Status`] by backup |
//!
//! Backbeat's own control routes, `/_/backbeat/api/crr/...` and `/_/crr/...`, pause and resume replication locations and list what
//! failed there ([`replication`]).
//!
//! Asking twice changes nothing more. Errors are in the form of Backbeat's.

mod answer;
mod http;
mod replication;
mod status;
#[cfg(test)]
mod tests;

pub use http::{PREFIX, handle};
pub use replication::PREFIXES as REPLICATION_PREFIXES;
pub use status::{Enabled, Status};

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use shared::{
    archive::{self, ArchiveError},
    config::{Settings, selection::TopicSelection},
    ports::{clock::Clock, objects::Objects},
    record::topic_name,
    web::{HttpAnswer, HttpEvent, guard::Guard},
};

/// The function's name.
pub const NAME: &str = "backup-control";

/// The function's ports and settings.
#[derive(Clone)]
pub struct Context {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    backups: BTreeMap<String, TopicSelection>,
    own_topics: Vec<String>,
    locations: Vec<String>,
    /// Who may ask by an event. The runner's listeners have guards of their own.
    guard: Guard,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Stop.
    Pause,
    /// Go on.
    Resume,
}

/// A backup, or a topic of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pausable<'a> {
    /// The backup's name.
    pub backup: &'a str,
    /// A topic's name; `None`: the whole backup.
    pub topic: Option<&'a str>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No such backup.
    #[error("no backup {name:?} is configured; there {are}")]
    UnknownBackup {
        /// As it was asked.
        name: String,
        /// Those that are.
        are: String,
    },
    /// No topic can have that name.
    #[error("{topic:?} is no topic: {why}")]
    NotATopic {
        /// As it was asked.
        topic: String,
        /// The rule.
        why: &'static str,
    },
    /// A pause would change nothing.
    #[error("backup {backup:?} does not select topic {topic:?}: pausing it changes nothing")]
    NotSelected {
        /// The backup.
        backup: String,
        /// The topic.
        topic: String,
    },
    /// The storage.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl Context {
    /// A context by the settings.
    #[must_use]
    pub fn new(settings: &Settings, objects: Arc<dyn Objects>, clock: Arc<dyn Clock>) -> Self {
        Context {
            objects,
            clock,
            backups: settings.backups.iter().map(|(name, it)| (name.to_string(), it.topics.clone())).collect(),
            own_topics: settings.own_topics().map(str::to_owned).to_vec(),
            locations: settings.locations.keys().map(|name| name.as_str().to_owned()).collect(),
            guard: Guard::of_events(&settings.listen),
        }
    }

    /// The names of the configured backups.
    pub fn backups(&self) -> impl Iterator<Item = &str> {
        self.backups.keys().map(String::as_str)
    }

    fn check(&self, target: Pausable<'_>, may_be_gone: bool) -> Result<(), ControlError> {
        let Some(selection) = self.backups.get(target.backup) else { return Err(self.unknown(target.backup)) };
        if let Some(topic) = target.topic {
            topic_name(topic).map_err(|why| ControlError::NotATopic { topic: topic.to_owned(), why })?;
        }
        let own: Vec<&str> = self.own_topics.iter().map(String::as_str).collect();
        match target.topic {
            Some(topic) if !may_be_gone && !selection.selects(topic, &own) => {
                Err(ControlError::NotSelected { backup: target.backup.to_owned(), topic: topic.to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn unknown(&self, name: &str) -> ControlError {
        let names: Vec<_> = self.backups().map(|name| format!("{name:?}")).collect();
        let are = if names.is_empty() { "is none".to_owned() } else { format!("are {}", names.join(", ")) };
        ControlError::UnknownBackup { name: name.to_owned(), are }
    }
}

/// Pauses or resumes.
///
/// # Errors
/// When there is no such thing to pause, or the storage fails.
pub async fn control(action: Action, target: Pausable<'_>, context: &Context) -> Result<(), ControlError> {
    // A pause may outlive the selection of its topic.
    context.check(target, action == Action::Resume)?;
    let (objects, Pausable { backup, topic }) = (&*context.objects, target);
    match action {
        Action::Pause => archive::pause(objects, backup, topic, context.clock.now()).await?,
        Action::Resume => archive::resume(objects, backup, topic).await?,
    }
    tracing::info!(?action, backup, topic, "asked and done");
    Ok(())
}

/// What is paused of a backup.
///
/// # Errors
/// When there is none of that name, or the storage fails.
pub async fn status(backup: &str, context: &Context) -> Result<Status, ControlError> {
    context.check(Pausable { backup, topic: None }, false)?;
    Ok(Status::of(archive::read_pauses(&*context.objects, backup).await?))
}

/// Answers a request that came as an event.
///
/// # Errors
/// None: what is wrong is in the answer.
pub async fn handle_event(event: HttpEvent, context: &Context) -> Result<HttpAnswer, Infallible> {
    Ok(match event.admitted(&context.guard) {
        Ok(request) => event.answer(handle(request, context).await),
        Err(refused) => refused,
    })
}
