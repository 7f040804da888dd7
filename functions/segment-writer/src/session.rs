//! One consumer and the lanes it feeds.
#![allow(
    clippy::disallowed_methods,
    reason = "a session measures intervals, which a clock that is set must not change"
)]

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use shared::{
    archive::Pauses,
    ports::records::{Fetch, Fetched, RecordsError},
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
use tracing::Instrument as _;

use crate::{
    Backup, Context, WriteError,
    lane::{Command, Feed, Item, Lane, LaneSummary, Until},
    memory::{self, LaneSize},
    pause,
    progress::Progress,
    report,
};

/// How long a round waits at most for something to happen.
const ROUND_WAIT: Duration = Duration::from_millis(50);
/// How long to wait after the consumer failed, times the failures in a row.
const FETCH_AGAIN_WAIT: Duration = Duration::from_millis(250);
/// How long the last figures have to be published at the end.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// A consumer and its lanes.
pub(crate) struct Session {
    context: Arc<Context>,
    backup: Arc<Backup>,
    /// Made when the first lane asks for records: where all is stored already nothing is read.
    fetch: Option<Box<dyn Fetch>>,
    /// Why nothing is read any more, for good. Lanes that are not at their end then end with it.
    broken: Arc<OnceLock<RecordsError>>,
    lanes: HashMap<TopicPartition, Handle>,
    tasks: JoinSet<LaneEnd>,
    /// Lanes that ended, as long as no round has told of them.
    ended: Vec<LaneEnd>,
    commands: UnboundedReceiver<Command>,
    commander: UnboundedSender<Command>,
    pauses: watch::Receiver<Arc<Pauses>>,
    _pauses: AbortOnDropHandle<()>,
    _publisher: AbortOnDropHandle<()>,
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

impl LaneEnd {
    /// A partition that could not even be begun.
    pub fn of(partition: TopicPartition, error: WriteError) -> Self {
        LaneEnd { id: 0, partition, summary: LaneSummary::default(), error: Some(error) }
    }

    /// A partition where nothing was to be done.
    pub fn rested(partition: TopicPartition, summary: LaneSummary) -> Self {
        LaneEnd { id: 0, partition, summary, error: None }
    }
}

/// What a round waited for.
enum Happened {
    /// A lane asks for something.
    Asked(Command),
    /// A lane ended.
    Ended(LaneEnd),
    /// The consumer has something, or failed.
    Fetched(Result<Vec<Fetched>, RecordsError>),
    /// Memory was given back, or the time is over.
    Nothing,
}

impl Session {
    /// A session that reads without a group. `pauses` are what is paused now; they are read again at every refresh.
    pub fn new(context: &Arc<Context>, backup: &Arc<Backup>, pauses: Pauses) -> Self {
        let (commander, commands) = mpsc::unbounded_channel();
        let (sender, pauses) = watch::channel(Arc::new(pauses));
        let watching = tokio::spawn(pause::watch(context.clone(), backup.clone(), sender));
        let (kafka, topic) = (context.kafka.clone(), context.metrics_topic.clone());
        let publisher = tokio::spawn(context.outbox.clone().publish(kafka, topic, context.limits.refresh));
        Session {
            context: context.clone(),
            backup: backup.clone(),
            fetch: None,
            broken: Arc::default(),
            lanes: HashMap::new(),
            tasks: JoinSet::new(),
            ended: vec![],
            commands,
            commander,
            pauses,
            _pauses: AbortOnDropHandle::new(watching),
            _publisher: AbortOnDropHandle::new(publisher),
            lanes_made: 0,
            progress: Progress::of(context, &backup.name),
            said_at: Instant::now(),
            failures: 0,
        }
    }

    /// The same for a member of a group, which gives partitions and takes them away.
    pub fn of_member(context: &Arc<Context>, backup: &Arc<Backup>, member: Box<dyn Fetch>, pauses: Pauses) -> Self {
        Session { fetch: Some(member), ..Session::new(context, backup, pauses) }
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
            broken: self.broken.clone(),
            summary: LaneSummary::default(),
            attempt: 0,
            voice: None,
            unanswered: None,
            unverified: None,
        };
        let (id, name) = (lane.id, partition.clone());
        let span = tracing::info_span!(
            "lane",
            backup = self.backup.name,
            topic = &*partition.topic,
            partition = partition.partition.0
        );
        let work = async move {
            let (summary, error) = lane.run().await;
            LaneEnd { id, partition: name, summary, error }
        };
        self.tasks.spawn(work.instrument(span));
        let handle = Handle { id, generation: 0, feed, stop, size };
        if let Some(before) = self.lanes.insert(partition, handle) {
            before.stop.cancel();
        }
    }

    /// A partition is where it should be; it counts with the others of its topic.
    pub fn rests(&mut self, partition: &TopicPartition) {
        self.progress.begin(partition);
    }

    /// Whether nothing is worked on.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// One round: what lanes ask for, what was fetched, and the lanes that ended.
    ///
    /// # Errors
    /// When nothing can be read any more. Lanes that ended are still told of, by [`Session::finish`].
    pub async fn round(&mut self) -> Result<Vec<LaneEnd>, WriteError> {
        self.relieve();
        match self.happens().await {
            Happened::Asked(command) => self.obey(command).await,
            Happened::Ended(end) => self.note(end).await,
            Happened::Fetched(Ok(fetched)) => {
                // Silence is no answer: a client that only waits between its errors has to be replaced by another.
                if fetched.iter().any(|it| !matches!(it, Fetched::Interrupted)) {
                    self.failures = 0;
                }
                fetched.into_iter().for_each(|fetched| self.dispatch(fetched));
            }
            Happened::Fetched(Err(error)) => self.fetch_again(error).await?,
            Happened::Nothing => {}
        }
        self.say_instance();
        Ok(std::mem::take(&mut self.ended))
    }

    /// Waits for the next thing to do. While memory is short nothing is fetched.
    async fn happens(&mut self) -> Happened {
        let full = self.context.memory.full();
        let fetched = async {
            match &mut self.fetch {
                Some(fetch) if !full => Happened::Fetched(fetch.next(ROUND_WAIT).await),
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(command) = self.commands.recv() => Happened::Asked(command),
            Some(end) = self.tasks.join_next() => Happened::Ended(joined(end)),
            fetched = fetched => fetched,
            () = self.context.memory.freed(), if full => Happened::Nothing,
            () = tokio::time::sleep(ROUND_WAIT) => Happened::Nothing,
        }
    }

    /// The consumer may fail some times in a row.
    async fn fetch_again(&mut self, error: RecordsError) -> Result<(), WriteError> {
        if error.retry() && self.failures < self.context.limits.attempts_max {
            self.failures += 1;
            tracing::warn!(error = &error as &dyn std::error::Error, "{error}; fetching again");
            tokio::time::sleep(FETCH_AGAIN_WAIT * self.failures).await;
            return Ok(());
        }
        // Only this function sets it, and a session that has failed fetches no more.
        let _ = self.broken.set(error.clone());
        Err(error.into())
    }

    /// Lets every lane close its segment and end; those that are not at their end say why nothing is read any more.
    pub async fn finish(mut self) -> Vec<LaneEnd> {
        for lane in self.lanes.values() {
            lane.stop.cancel();
        }
        let mut ends = std::mem::take(&mut self.ended);
        while let Some(end) = self.tasks.join_next().await {
            ends.push(joined(end));
        }
        self.instance();
        tokio::join!(self.context.outbox.flush(FLUSH_TIMEOUT), self.progress.end());
        // Last: what lanes committed, they committed as members of its group.
        if let Some(fetch) = self.fetch.take() {
            fetch.close().await;
        }
        ends
    }

    /// A lane ended: nothing more of its partition is needed, unless another lane has taken it over.
    async fn note(&mut self, end: LaneEnd) {
        if self.lanes.get(&end.partition).is_some_and(|lane| lane.id == end.id) {
            self.lanes.remove(&end.partition);
            if let Some(fetch) = self.fetch.as_mut().filter(|_| !self.tasks.is_empty()) {
                // It is not read any more whatever comes of this.
                let _ = fetch.stop(&end.partition).await;
            }
        }
        self.ended.push(end);
    }

    /// Does what a lane asked for.
    async fn obey(&mut self, command: Command) {
        let (lane, partition) = match &command {
            Command::Start { lane, partition, .. } | Command::Stop { lane, partition } => (*lane, partition.clone()),
        };
        let is_of = |handle: &&mut Handle| handle.id == lane;
        let Some(handle) = self.lanes.get_mut(&partition).filter(is_of) else { return };
        if let Command::Start { generation, .. } = command {
            handle.generation = generation;
        }
        if let Err(error) = self.tell_consumer(&command).await {
            self.give(&partition, Item::Failed(Arc::new(error)));
        }
    }

    async fn tell_consumer(&mut self, command: &Command) -> Result<(), RecordsError> {
        let fetch = match (command, &mut self.fetch) {
            (_, Some(fetch)) => fetch,
            (Command::Start { .. }, fetch) => fetch.insert(self.context.kafka.fetch(&[]).await?),
            (Command::Stop { .. }, None) => return Ok(()),
        };
        match command {
            Command::Start { partition, from, behind: Some(epoch), .. } => {
                fetch.start_behind(partition, *from, *epoch).await
            }
            Command::Start { partition, from, .. } => fetch.start(partition, *from).await,
            Command::Stop { partition, .. } => fetch.stop(partition).await,
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

    fn say_instance(&mut self) {
        if self.said_at.elapsed() < self.context.limits.refresh {
            return;
        }
        self.said_at = Instant::now();
        self.progress.say();
        self.instance();
    }

    fn instance(&self) {
        let mut topics: Vec<_> = self.lanes.keys().map(|partition| partition.topic.clone()).collect();
        topics.sort();
        topics.dedup();
        report::instance(&self.context, &self.backup.name, &topics);
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
        Err(failed) => shared::blocking::go_on_after(failed),
    }
}
