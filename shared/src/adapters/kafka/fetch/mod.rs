//! Reading records: a thread of its own for each read, and what it fetched handed over in order.

mod assignment;
mod batch;
mod handover;
mod headers;
mod reader;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use tokio_util::sync::CancellationToken;

pub(super) use self::reader::ReadClient;
use self::{assignment::Assignment, handover::Handover, reader::Reader};
use super::{context::ClientState, errors::Errors, login::Login};
use crate::{
    ports::records::{Fetch, Fetched, RecordsError},
    record::{Offset, TopicPartition},
};

/// A member that goes says so to its group; nobody waits longer than this for it.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How often it is looked whether others still speak with a client that is to be closed.
const END_INTERVAL: Duration = Duration::from_millis(1);

/// A running read.
pub(super) struct KafkaFetch {
    handover: Arc<Handover>,
    client: Weak<ReadClient>,
    is_member: bool,
    /// Cancelled when the reading thread is gone.
    gone: CancellationToken,
}

impl KafkaFetch {
    /// Starts a thread that reads nothing yet; with `topics`, as a member of the configuration's group.
    pub(super) fn open(
        config: &ClientConfig,
        login: Option<Arc<Login>>,
        errors: Errors,
        topics: Option<&[Arc<str>]>,
    ) -> Result<Self, KafkaError> {
        let state = ClientState::new(login);
        let state = if topics.is_some() { state } else { state.of_no_group() };
        let handover = Arc::new(if topics.is_some() { Handover::of_member() } else { Handover::default() });
        let consumer: BaseConsumer<Assignment> =
            config.create_with_context(Assignment::new(state, handover.clone()))?;
        if let Some(topics) = topics {
            consumer.subscribe(&topics.iter().map(|topic| &**topic).collect::<Vec<_>>())?;
        }
        let client = Arc::new(ReadClient::new(consumer));
        let fetch = KafkaFetch {
            handover: handover.clone(),
            client: Arc::downgrade(&client),
            is_member: topics.is_some(),
            gone: CancellationToken::new(),
        };
        let gone = fetch.gone.clone().drop_guard();
        let work = move || {
            Reader::new(client.clone(), handover, errors).run();
            end(client);
            drop(gone);
        };
        let spawned = std::thread::Builder::new().name("kafka-fetch".to_owned()).spawn(work);
        spawned.map_err(|error| KafkaError::ClientCreation(format!("no thread to read on: {error}")))?;
        Ok(fetch)
    }

    /// The client, as long as the thread is there.
    pub(super) fn client(&self) -> Weak<ReadClient> {
        self.client.clone()
    }

    /// Reads a partition from an offset on.
    pub(super) fn read_from(&self, partition: &TopicPartition, from: Offset) {
        self.handover.start(partition, from);
        self.wake();
    }

    fn wake(&self) {
        if let Some(client) = self.client.upgrade() {
            client.queue.wake();
        }
    }
}

/// Closes the client here, on the thread that may wait for it: whoever else still speaks with it, as the one who drops the read and
/// wakes it for that, is not the last to have it.
fn end(mut client: Arc<ReadClient>) {
    while let Err(shared) = Arc::try_unwrap(client) {
        client = shared;
        std::thread::sleep(END_INTERVAL);
    }
}

#[async_trait]
impl Fetch for KafkaFetch {
    async fn next(&mut self, wait: Duration) -> Result<Vec<Fetched>, RecordsError> {
        self.handover.take(wait).await
    }

    async fn start(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), RecordsError> {
        self.read_from(partition, from);
        Ok(())
    }

    async fn start_behind(
        &mut self,
        partition: &TopicPartition,
        from: Offset,
        leader_epoch: i32,
    ) -> Result<(), RecordsError> {
        self.handover.start_behind(partition, from, Some(leader_epoch));
        self.wake();
        Ok(())
    }

    async fn stop(&mut self, partition: &TopicPartition) -> Result<(), RecordsError> {
        self.handover.stop(partition);
        self.wake();
        Ok(())
    }

    async fn close(self: Box<Self>) {
        let (gone, is_member) = (self.gone.clone(), self.is_member);
        drop(self);
        if is_member {
            let _ = tokio::time::timeout(LEAVE_WAIT_MAX, gone.cancelled()).await;
        }
    }
}

impl Drop for KafkaFetch {
    fn drop(&mut self) {
        self.handover.close();
        self.wake();
    }
}
