//! Asking for replication, and saying what came of it, in the order that loses nothing:
//! the status in the storage, then its event, then (of what is asked for) the entry on the topic.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Entry, OperationId, State, Status, Subject, event};
use crate::{
    archive::{self, ArchiveError, FailedEntry},
    crash,
    ports::{
        clock::Clock,
        objects::Objects,
        records::{Message, Publisher, RecordsError},
    },
    record::Millis,
};

/// So many statuses are written at once.
const STATUSES_AT_ONCE: usize = 16;

/// Why replication could not be asked for, or its end not be said. Doing it again is harmless.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The storage of the statuses failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Kafka failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl QueueError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            QueueError::Archive(error) => error.retry(),
            QueueError::Records(error) => error.retry(),
        }
    }
}

/// An object that is to be replicated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which, and where to.
    pub subject: Subject,
    /// Its size.
    pub size_bytes: u64,
    /// What is done where it was asked for before.
    pub known: Known,
}

/// What is done about an object that was asked for before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// A pending one is sent once more: it may never have come to the topic.
    Resend,
    /// The location was seen not to hold it: also one that was completed is asked for again, unless that was after the look.
    Restore {
        /// When the look began.
        seen_at: Millis,
    },
    /// Like `Restore`, but entries that were not read yet lie on the topic: a pending one is among them.
    RestoreUnlessPending {
        /// When the look began.
        seen_at: Millis,
    },
}

/// What asks for replication and says what came of it.
#[derive(Clone)]
pub struct Queue {
    /// Kafka.
    pub kafka: Arc<dyn Publisher>,
    /// The storage of the statuses.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The topic of the entries.
    pub topic: Arc<str>,
    /// The topic of the events.
    pub metrics_topic: Arc<str>,
    /// The name of the storage ([`super::SourcePlace::name`]).
    pub storage: Arc<str>,
}

impl Queue {
    /// Asks for objects: returns when their statuses are stored and their events and entries are acknowledged. What is
    /// pending is asked for once more; what has failed is tried again at its own time. Answers how many were asked for.
    ///
    /// # Errors
    /// [`QueueError`]; asking for the same again is harmless.
    pub async fn enqueue(&self, wanted: Vec<Wanted>) -> Result<usize, QueueError> {
        let statuses = stream::iter(wanted.into_iter().map(|wanted| self.note(wanted)));
        let statuses: Vec<Option<Status>> = statuses.buffered(STATUSES_AT_ONCE).try_collect().await?;
        let statuses: Vec<Status> = statuses.into_iter().flatten().collect();
        self.send(&statuses).await?;
        Ok(statuses.len())
    }

    /// Writes that an object is asked for; answers its status where it is to be sent.
    async fn note(&self, wanted: Wanted) -> Result<Option<Status>, QueueError> {
        let now = self.clock.now();
        let status = Status::queued(wanted.subject, wanted.size_bytes, now);
        let Some(found) = archive::put_status(&*self.objects, &status).await? else { return Ok(Some(status)) };
        Ok(match (found.state, wanted.known) {
            (State::Pending, Known::RestoreUnlessPending { .. }) => None,
            (State::Pending, _) => Some(found),
            (State::Completed, Known::Restore { seen_at } | Known::RestoreUnlessPending { seen_at })
                if found.changed_at <= seen_at =>
            {
                self.next_attempt(found).await?
            }
            (State::Completed | State::Failed, _) => None,
        })
    }

    /// Asks once more for an operation that failed, and takes the note back that it did.
    ///
    /// # Errors
    /// [`QueueError`]; doing it again is harmless.
    pub async fn retry(&self, location: &str, failed: &FailedEntry) -> Result<Option<Status>, QueueError> {
        let status = self.begin_again(location, &failed.operation).await?;
        if let Some(status) = &status {
            self.send(std::slice::from_ref(status)).await?;
        }
        archive::clear_failed(&*self.objects, &failed.key).await?;
        Ok(status)
    }

    /// The next attempt of an operation, where it failed or the next one began already.
    async fn begin_again(&self, location: &str, id: &OperationId) -> Result<Option<Status>, QueueError> {
        let Some(status) = archive::read_status(&*self.objects, location, id).await? else { return Ok(None) };
        match status.state {
            State::Pending => Ok(Some(status)),
            State::Failed => self.next_attempt(status).await,
            State::Completed => Ok(None),
        }
    }

    async fn next_attempt(&self, status: Status) -> Result<Option<Status>, QueueError> {
        let again = archive::advance_status(&*self.objects, &status.again(self.clock.now())).await?;
        Ok(Some(again).filter(|status| status.state == State::Pending))
    }

    /// Asks once more for operations that are pending, whose entries may be gone.
    ///
    /// # Errors
    /// [`QueueError`]; doing it again is harmless.
    pub async fn ask_again(&self, pending: &[Status]) -> Result<(), QueueError> {
        self.send(pending).await
    }

    async fn send(&self, statuses: &[Status]) -> Result<(), QueueError> {
        if statuses.is_empty() {
            return Ok(());
        }
        self.tell(statuses.iter().map(event::of_status).collect()).await?;
        crash::point("before-entry");
        let entries = statuses.iter().map(|status| Entry::of(status, &self.storage).encode()).collect();
        Ok(self.kafka.publish(&self.topic, entries).await?)
    }

    /// Stores how an attempt ended, then says it; answers the status that is there in the end.
    ///
    /// # Errors
    /// [`QueueError`]; doing it again is harmless.
    pub async fn settle(&self, status: &Status) -> Result<Status, QueueError> {
        if status.state == State::Failed {
            archive::note_failed(&*self.objects, status).await?;
        }
        let stored = archive::advance_status(&*self.objects, status).await?;
        crash::point("after-status");
        self.tell(vec![event::of_status(&stored)]).await?;
        Ok(stored)
    }

    /// Publishes events.
    ///
    /// # Errors
    /// [`QueueError::Records`]
    pub async fn tell(&self, events: Vec<Message>) -> Result<(), QueueError> {
        Ok(self.kafka.publish(&self.metrics_topic, events).await?)
    }
}
