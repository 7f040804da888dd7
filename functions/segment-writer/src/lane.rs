//! One partition's work: open the chain, take what is fetched, close segments, and recover from whatever goes wrong.
#![allow(clippy::disallowed_methods, reason = "a lane measures intervals, which a clock that is set must not change")]

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use shared::{
    archive::Pauses,
    chain::LastRead,
    config::units::ByteSize,
    job::State,
    ports::records::RecordsError,
    record::{Millis, Offset, Record, TopicPartition},
};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender},
        watch,
    },
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Backup, Context, WriteError,
    memory::LaneSize,
    open::open,
    opened::OpenOutcome,
    report::{Reporter, Voice},
    resting::Rest,
    unanswered::Unanswered,
    writer::PartitionWriter,
};

mod feed;
mod history;
mod pausing;
mod recovery;

pub use feed::LaneSummary;
pub(crate) use feed::{Command, Feed, Item, Until};

/// A drain's lane that gets nothing for so long asks Kafka anew, so that a dead broker cannot hang it.
const SILENCE_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Lane {
    pub id: u64,
    pub context: Arc<Context>,
    pub backup: Arc<Backup>,
    pub partition: TopicPartition,
    pub until: Until,
    pub stop: CancellationToken,
    pub feed: UnboundedReceiver<Feed>,
    pub commands: UnboundedSender<Command>,
    /// What is paused.
    pub pauses: watch::Receiver<Arc<Pauses>>,
    /// How large the unfinished segment is, for whoever must choose a lane to close.
    pub size: Arc<LaneSize>,
    pub generation: u64,
    /// Why the session reads nothing any more, once that is so.
    pub broken: Arc<OnceLock<RecordsError>>,
    pub summary: LaneSummary,
    pub attempt: u32,
    pub voice: Option<Voice>,
    /// What was sent to the storage last, where it is not known to be stored.
    pub unanswered: Option<Unanswered>,
    /// The last stored record, which the log must still hold; absent once that is known.
    pub unverified: Option<LastRead>,
}

impl Lane {
    async fn attempt(&mut self) -> Result<(), WriteError> {
        self.context.resting.forget(&self.backup.name, &self.partition);
        let looked_at = self.context.clock.now();
        let permit = self.context.permits.to_store().await;
        let OpenOutcome { open, missing } = open(&self.context, &self.backup, &self.partition).await?;
        drop(permit);
        // What was the matter is not over because it is tried again.
        let mut reporter = match &self.voice {
            Some(voice) if self.attempt > 0 => Reporter::still(voice),
            _ => Reporter::new(self.context.clock.now()),
        };
        if let Some(error) = missing {
            (self.summary.next, self.summary.position) = (open.frontier.next, open.frontier.next);
            self.voice = Some(Voice::new(open, reporter));
            return Err(error);
        }
        self.count_unanswered(&open).await?;
        self.unverified = open.frontier.last_read.filter(|_| self.context.protections.history_check);
        let mut writer = PartitionWriter::new(&self.context, &self.backup, open);
        let mut result = self.work(&mut writer, &mut reporter).await;
        if let Err(error) = writer.settle().await {
            result = result.and(Err(error));
        }
        self.unanswered = writer.unanswered();
        let (records, segments) = writer.sealed();
        self.summary.records += records;
        self.summary.segments += segments;
        self.summary.next = writer.open_chain().frontier.next;
        self.summary.position = writer.position();
        let voice = Voice::new(writer.open_chain().clone(), reporter);
        match result.is_ok() && self.may_rest() {
            true => self.rest(voice, looked_at),
            false => self.voice = Some(voice),
        }
        result
    }

    /// Whether nothing is to be done while the log ends where it does. Who backs up once wants everything looked at.
    fn may_rest(&self) -> bool {
        let is_drain = matches!(self.until, Until::End { finished: false, .. });
        is_drain && self.unverified.is_none() && !self.summary.paused && self.reached(self.summary.position)
    }

    fn rest(&self, voice: Voice, looked_at: Millis) {
        let LaneSummary { next, position, .. } = self.summary;
        self.context.resting.put(
            &self.backup.name,
            &self.partition,
            Rest { voice, next, position, looked_at, end: None },
        );
    }

    async fn work(&mut self, writer: &mut PartitionWriter, reporter: &mut Reporter) -> Result<(), WriteError> {
        if let Some(since) = self.paused_since() {
            return self.pause(since, writer, reporter).await;
        }
        if self.unverified.is_none() && self.reached(writer.position()) {
            self.verify_length(writer).await?;
            return self.finish(writer, reporter).await;
        }
        self.start(self.unverified.map_or(writer.position(), |last| last.offset));
        // Records are on their way meanwhile.
        reporter.standing(&self.context, writer.open_chain(), writer.position());
        let mut said_at = Instant::now();
        let mut fed_at = said_at;
        loop {
            let said_or_storing_at = if writer.is_storing() { Instant::now() } else { said_at };
            let refresh_at = said_or_storing_at + self.context.limits.refresh;
            let wake_at = writer.due_at().map_or(refresh_at, |due| due.min(refresh_at));
            let stop = self.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.finish(writer, reporter).await,
                Ok(()) = self.pauses.changed() => if let Some(since) = self.paused_since() {
                    return self.pause(since, writer, reporter).await;
                },
                stored = writer.settle(), if writer.is_storing() => {
                    stored?;
                    fed_at = Instant::now(); // short of memory, nothing comes before
                }
                feed = self.feed.recv() => {
                    let feed = feed.ok_or_else(|| WriteError::Abandoned(self.partition.clone()))?;
                    fed_at = Instant::now();
                    let asked_for = feed.generation == self.generation || matches!(feed.item, Item::Close);
                    if asked_for && self.take(feed.item, writer, reporter).await? {
                        return self.finish(writer, reporter).await;
                    }
                }
                () = tokio::time::sleep_until(wake_at) => {}
            }
            let now = Instant::now();
            if writer.due_at().is_some_and(|due| due <= now) {
                writer.close(reporter).await?;
            }
            writer.commit_passed().await;
            let stored = writer.sealed().1 > 0;
            if stored {
                self.attempt = 0;
            }
            self.size.set(writer.buffered_bytes());
            if writer.is_storing() {
                continue; // it says a standing itself, and nothing need come meanwhile
            }
            if stored && reporter.recover(self.context.clock.now()) {
                reporter.standing(&self.context, writer.open_chain(), writer.position());
            }
            if self.until != Until::Stopped && fed_at + SILENCE_MAX <= now {
                return Err(self.silent());
            }
            if said_at + self.context.limits.refresh <= now {
                reporter.standing(&self.context, writer.open_chain(), writer.position());
                said_at = now;
            }
        }
    }

    /// Takes what came. Whether the work is done.
    async fn take(
        &mut self,
        item: Item,
        writer: &mut PartitionWriter,
        reporter: &mut Reporter,
    ) -> Result<bool, WriteError> {
        match item {
            Item::Records { mut records, leader_epoch, held } => {
                if !self.verify(&records, leader_epoch, writer).await? {
                    return Ok(false);
                }
                reporter.at_end(false);
                let beyond = self.leave_what_is_beyond(&mut records);
                let too_large = self.leave_from_one_too_large_on(&mut records);
                writer.append(records, leader_epoch, reporter).await?;
                drop(held);
                if let Some(error) = too_large {
                    writer.seal(reporter).await?;
                    return Err(error);
                }
                if let Some(target) = beyond {
                    writer.pass(target);
                }
                Ok(self.reached(writer.position()))
            }
            Item::End(position) => {
                if !self.verify_end(position, writer).await? {
                    return Ok(false);
                }
                reporter.at_end(true);
                writer.pass(position);
                // While something is unfinished nobody knows whether it can be stored.
                if !reporter.in_trouble() || (writer.due_at().is_none() && !writer.is_storing()) {
                    reporter.set(State::STREAMING, 0, self.context.clock.now());
                }
                Ok(self.until != Until::Stopped)
            }
            // Asked since, it may have filled up and closed by itself.
            Item::Close if self.size.is_leaving() => writer.close(reporter).await.map(|()| false),
            Item::Close => Ok(false),
            Item::Failed(error) => Err(RecordsError::clone(&error).into()),
            Item::OutOfRange => self.out_of_range(writer).await,
            Item::Interrupted => Err(WriteError::Interrupted { partition: self.partition.clone() }),
        }
    }

    /// Leaves out records from the target on. Having seen one of them, the reading has come to the target, which it answers:
    /// the offsets just below may not exist.
    fn leave_what_is_beyond(&self, records: &mut Vec<Record>) -> Option<Offset> {
        let Until::End { target, .. } = self.until else { return None };
        let within = records.partition_point(|record| record.offset < target);
        let is_beyond = within < records.len();
        records.truncate(within);
        is_beyond.then_some(target)
    }

    /// Leaves out the first record that is too large, and all behind it.
    fn leave_from_one_too_large_on(&self, records: &mut Vec<Record>) -> Option<WriteError> {
        let bytes_max = self.context.limits.record_bytes_max;
        let index = records.iter().position(|record| record.size_bytes() > bytes_max)?;
        let Record { offset, .. } = records[index];
        let (partition, size_bytes) = (self.partition.clone(), records[index].size_bytes());
        records.truncate(index);
        Some(WriteError::RecordTooLarge { partition, offset, size_bytes, bytes_max: ByteSize(bytes_max) })
    }

    fn reached(&self, position: Offset) -> bool {
        matches!(self.until, Until::End { target, .. } if position >= target)
    }

    /// Asks for records from an offset on; what was fed before is of an older generation.
    fn start(&mut self, from: Offset) {
        self.start_behind(from, None);
    }

    /// The same behind a record of this leader epoch.
    fn start_behind(&mut self, from: Offset, behind: Option<i32>) {
        self.generation += 1;
        let (lane, partition, generation) = (self.id, self.partition.clone(), self.generation);
        // A session that is gone feeds nothing: `recv` tells.
        let _ = self.commands.send(Command::Start { lane, partition, from, behind, generation });
    }

    /// Closes the last segment and says how the work ended.
    async fn finish(&mut self, writer: &mut PartitionWriter, reporter: &mut Reporter) -> Result<(), WriteError> {
        writer.seal(reporter).await?;
        writer.commit_passed().await;
        let done = matches!(self.until, Until::End { finished: true, .. }) && !self.stop.is_cancelled();
        if self.until != Until::Stopped {
            let state = if done { State::DONE } else { State::STREAMING };
            reporter.set(state, 0, self.context.clock.now());
        }
        reporter.standing(&self.context, writer.open_chain(), writer.position());
        let is_done = self.unverified.is_none() && self.reached(writer.position());
        if !self.stop.is_cancelled() || is_done {
            return Ok(());
        }
        match (self.broken.get(), self.until) {
            (Some(error), _) => Err(error.clone().into()),
            (None, Until::Stopped) => Ok(()),
            (None, Until::End { .. }) => {
                Err(WriteError::OutOfTime { partition: self.partition.clone(), position: writer.position() })
            }
        }
    }

    fn silent(&self) -> WriteError {
        WriteError::Records(RecordsError::Unavailable {
            operation: "fetch",
            bootstrap_servers: self.partition.to_string(),
            message: format!("nothing came for {} s", SILENCE_MAX.as_secs()),
        })
    }
}
