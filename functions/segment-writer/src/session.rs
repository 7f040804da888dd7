//! One consumer and the lanes it feeds.
#![allow(
    clippy::disallowed_methods,
    reason = "a session measures intervals, which a clock that is set must not change"
)]

use std::{collections::HashMap, sync::Arc, time::Duration};

use shared::{
    archive::Pauses,
    ports::records::{Fetch, Fetched},
    record::TopicPartition,
};
use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver, UnboundedSender},
        watch,
    },
    task::JoinSet,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    Backup, Context, WriteError,
    lane::{Command, Feed, Item, Lane, LaneSummary, Until},
    memory::{self, LaneSize},
    pause,
    progress::Progress,
    report,
};

/// How long one look for records takes at most: lanes' wishes wait as long.
const FETCH_WAIT: Duration = Duration::from_millis(50);
/// How long to wait after the consumer failed, times the failures in a row.
const FETCH_AGAIN_WAIT: Duration = Duration::from_millis(250);
/// How long to wait for memory before another lane is asked to close.
const MEMORY_WAIT: Duration = Duration::from_millis(100);

/// A consumer and its lanes.
pub(crate) struct Session {
    context: Arc<Context>,
    backup: Arc<Backup>,
    fetch: Box<dyn Fetch>,
    lanes: HashMap<TopicPartition, Handle>,
    tasks: JoinSet<LaneEnd>,
    commands: UnboundedReceiver<Command>,
    commander: UnboundedSender<Command>,
    pauses: watch::Receiver<Arc<Pauses>>,
    _pauses: AbortOnDropHandle<()>,
    lanes_made: u64,
    progress: Progress,
    said_at: Instant,
    /// How often in a row the consumer failed.
    failures: u32,
}

/// A lane as the session sees it.
struct Handle {
    id: u64,
    generation: u64,
    feed: UnboundedSender<Feed>,
    stop: CancellationToken,
    size: Arc<LaneSize>,
}

/// How a lane ended.
pub(crate) struct LaneEnd {
    id: u64,
    pub partition: TopicPartition,
    pub summary: LaneSummary,
    /// Why that was not all.
    pub error: Option<WriteError>,
}

impl Session {
    /// A session without partitions. `pauses` are what is paused now; they are read again at every refresh.
    pub fn new(context: &Arc<Context>, backup: &Arc<Backup>, fetch: Box<dyn Fetch>, pauses: Pauses) -> Self {
        let (commander, commands) = mpsc::unbounded_channel();
        let (sender, pauses) = watch::channel(Arc::new(pauses));
        let watching = tokio::spawn(pause::watch(context.clone(), backup.clone(), sender));
        Session {
            context: context.clone(),
            backup: backup.clone(),
            fetch,
            lanes: HashMap::new(),
            tasks: JoinSet::new(),
            commands,
            commander,
            pauses,
            _pauses: AbortOnDropHandle::new(watching),
            lanes_made: 0,
            progress: Progress::of(context, &backup.name),
            said_at: Instant::now(),
            failures: 0,
        }
    }

    /// Begins to work on a partition.
    pub fn add(&mut self, partition: TopicPartition, until: Until) {
        self.lanes_made += 1;
        self.progress.begin(&partition);
        let (feed, fed) = mpsc::unbounded_channel();
        let (stop, size) = (CancellationToken::new(), Arc::new(LaneSize::new(&self.context.memory)));
        let lane = Lane {
            id: self.lanes_made,
            context: self.context.clone(),
            backup: self.backup.clone(),
            partition: partition.clone(),
            until,
            stop: stop.clone(),
            feed: fed,
            commands: self.commander.clone(),
            pauses: self.pauses.clone(),
            size: size.clone(),
            generation: 0,
            summary: LaneSummary::default(),
            attempt: 0,
            voice: None,
            unverified: None,
        };
        let (id, name) = (lane.id, partition.clone());
        self.tasks.spawn(async move {
            let (summary, error) = lane.run().await;
            LaneEnd { id, partition: name, summary, error }
        });
        let handle = Handle { id, generation: 0, feed, stop, size };
        if let Some(before) = self.lanes.insert(partition, handle) {
            before.stop.cancel();
        }
    }

    /// How many partitions are worked on.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// One round: the lanes' wishes, the ended lanes, and what was fetched.
    pub async fn round(&mut self) -> Result<Vec<LaneEnd>, WriteError> {
        self.obey().await;
        let ended = self.ended();
        self.relieve();
        if self.context.memory.full() {
            let _ = tokio::time::timeout(MEMORY_WAIT, self.context.memory.freed()).await;
        } else {
            self.fetch().await?;
        }
        self.say_instance().await;
        Ok(ended)
    }

    /// Takes what the consumer has; it may fail some times in a row.
    async fn fetch(&mut self) -> Result<(), WriteError> {
        match self.fetch.next(FETCH_WAIT).await {
            Ok(fetched) => {
                self.failures = 0;
                fetched.into_iter().for_each(|fetched| self.dispatch(fetched));
                Ok(())
            }
            Err(error) if error.retry() && self.failures < self.context.limits.attempts_max => {
                self.failures += 1;
                tracing::warn!(error = &error as &dyn std::error::Error, "{error}; fetching again");
                tokio::time::sleep(FETCH_AGAIN_WAIT * self.failures).await;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Lets every lane close its segment and end.
    pub async fn finish(mut self) -> Vec<LaneEnd> {
        for lane in self.lanes.values() {
            lane.stop.cancel();
        }
        let mut ends = vec![];
        while let Some(end) = self.tasks.join_next().await {
            ends.push(joined(end));
        }
        let _ = self.instance().await;
        self.progress.end().await;
        ends
    }

    fn ended(&mut self) -> Vec<LaneEnd> {
        let mut ends = vec![];
        while let Some(end) = self.tasks.try_join_next() {
            let end = joined(end);
            if self.lanes.get(&end.partition).is_some_and(|lane| lane.id == end.id) {
                self.lanes.remove(&end.partition);
            }
            ends.push(end);
        }
        ends
    }

    /// Does what the lanes asked for.
    async fn obey(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            let (lane, partition) = match &command {
                Command::Start { lane, partition, .. } | Command::Stop { lane, partition } => (*lane, partition),
            };
            let Some(handle) = self.lanes.get_mut(partition).filter(|handle| handle.id == lane) else { continue };
            let result = match command {
                Command::Start { ref partition, from, behind, generation, .. } => {
                    handle.generation = generation;
                    match behind {
                        Some(epoch) => self.fetch.start_behind(partition, from, epoch).await,
                        None => self.fetch.start(partition, from).await,
                    }
                }
                Command::Stop { ref partition, .. } => self.fetch.stop(partition).await,
            };
            if let Err(error) = result {
                handle.give(Item::Failed(Arc::new(error)));
            }
        }
    }

    fn dispatch(&mut self, fetched: Fetched) {
        match fetched {
            Fetched::Records { partition, records, leader_epoch } => {
                let held = self.context.memory.hold(memory::of_records(&records));
                self.give(&partition, Item::Records { records, leader_epoch, held });
            }
            Fetched::End { partition, position } => self.give(&partition, Item::End(position)),
            Fetched::OutOfRange { partition } => self.give(&partition, Item::OutOfRange),
            Fetched::Failed { partition, error } => self.give(&partition, Item::Failed(error)),
            Fetched::Interrupted => self.lanes.values().for_each(|lane| lane.give(Item::Interrupted)),
            Fetched::Assigned { partition } => self.add(partition, Until::Stopped),
            Fetched::Revoked { partition } => {
                if let Some(lane) = self.lanes.remove(&partition) {
                    lane.stop.cancel();
                }
            }
        }
    }

    fn give(&self, partition: &TopicPartition, item: Item) {
        if let Some(lane) = self.lanes.get(partition) {
            lane.give(item);
        }
    }

    /// Where memory is short the largest unfinished segments are closed early, one a round, no more than it takes.
    fn relieve(&self) {
        if !self.context.memory.short() {
            return;
        }
        let largest = self.lanes.values().max_by_key(|lane| (lane.size.unfinished_bytes(), lane.id));
        if let Some(lane) = largest.filter(|lane| lane.size.leave()) {
            lane.give(Item::Close);
        }
    }

    async fn say_instance(&mut self) {
        if self.said_at.elapsed() < self.context.limits.refresh {
            return;
        }
        self.said_at = Instant::now();
        self.progress.say();
        if let Err(error) = self.instance().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "figures of this process not published; the next refresh says them"
            );
        }
    }

    async fn instance(&mut self) -> Result<(), WriteError> {
        let mut topics: Vec<_> = self.lanes.keys().map(|partition| partition.topic.clone()).collect();
        topics.sort();
        topics.dedup();
        report::instance(&self.context, &self.backup.name, &topics).await
    }
}

impl Handle {
    fn give(&self, item: Item) {
        // A lane that has ended takes nothing more; its end is on its way.
        let _ = self.feed.send(Feed { generation: self.generation, item });
    }
}

fn joined(end: Result<LaneEnd, tokio::task::JoinError>) -> LaneEnd {
    match end {
        Ok(end) => end,
        // Lanes are never aborted while their session lives: it is a panic, and a panic is not to be hidden.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
