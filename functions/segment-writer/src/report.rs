//! Saying on the metrics topic how far a chain is, and who works on it.

use std::{collections::BTreeMap, time::Duration};

use shared::{
    job::{State, Word},
    metrics::standing::{Instance, Job, Message, Process, Standing},
    record::{Millis, Offset},
};

use crate::{Context, context::Work, opened::OpenChain};

/// After so many refreshes of silence a state is no longer true (design.md, "States").
const REFRESHES_OF_SILENCE: u32 = 3;

/// What the owner of a chain says of its own work.
#[derive(Debug, Clone)]
pub struct Reporter {
    state: State,
    since: Millis,
    attempt: u32,
    sequence: u64,
    /// Whether the reading has come to the end of the log.
    at_end: bool,
    /// From where on the log is another one than the backup.
    diverged_from: Option<Offset>,
}

impl Reporter {
    /// A reporter that has said nothing yet.
    #[must_use]
    pub fn new(now: Millis) -> Self {
        Reporter { state: State::CATCHING_UP, since: now, attempt: 0, sequence: 0, at_end: false, diverged_from: None }
    }

    /// A reporter that goes on saying what is the matter, until [`Reporter::recover`].
    #[must_use]
    pub fn still(voice: &Voice) -> Self {
        Reporter { sequence: 0, at_end: false, ..voice.reporter.clone() }
    }

    /// Whether it says that something is the matter.
    #[must_use]
    pub fn in_trouble(&self) -> bool {
        matches!(self.state.word(), Word::Backoff | Word::Failed)
    }

    /// Says that what was the matter is over; whether anything was.
    pub fn recover(&mut self, now: Millis) -> bool {
        let was = self.in_trouble();
        if was {
            self.set(if self.at_end { State::STREAMING } else { State::CATCHING_UP }, 0, now);
        }
        was
    }

    /// Notes whether the reading has come to the end of the log: what it is like when what is the matter is over.
    pub fn at_end(&mut self, at_end: bool) {
        self.at_end = at_end;
    }

    /// Says what the work is like from now on.
    pub fn set(&mut self, state: State, attempt: u32, now: Millis) {
        if state != self.state {
            self.since = now;
        }
        (self.state, self.attempt, self.diverged_from) = (state, attempt, None);
    }

    /// Says that the work is paused, since then.
    pub fn pause(&mut self, since: Millis) {
        (self.state, self.attempt, self.since) = (State::PAUSED, 0, since);
    }

    /// Another that says one standing. What this one says after it counts more, whichever comes first.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let fork = self.clone();
        self.sequence += 1;
        fork
    }

    /// Says how far the chain is. It is published when that is possible.
    pub fn standing(&mut self, context: &Context, open: &OpenChain, position: Offset) {
        self.sequence += 1;
        let standing = self.message(context, open, position);
        context.said.note(&standing);
        context.outbox.put(&Message::Standing(standing));
    }

    fn message(&self, context: &Context, open: &OpenChain, position: Offset) -> Standing {
        let (chain, now) = (&open.chain, context.clock.now());
        let finished = self.state == State::DONE;
        let job = Job {
            state: self.state,
            attempt: self.attempt,
            since: self.since,
            expires: (!finished).then(|| expiry(context, now)),
            position: position.max(open.frontier.next),
            owner_epoch: open.owner_epoch,
            sequence: self.sequence,
            diverged_from: self.diverged_from,
        };
        Standing {
            timestamp: now,
            backup: chain.backup.as_str().into(),
            topic: chain.topic.clone(),
            topic_id: chain.topic_id.clone(),
            incarnation: chain.incarnation,
            partition: chain.partition,
            start: open.floor.floor.base,
            next: open.frontier.next,
            totals: open.frontier.point.totals,
            totals_before_start: open.floor.floor.before.totals,
            digest: open.frontier.point.digest,
            marks: open.frontier.marks,
            job: Some(job),
        }
    }
}

/// Speaks for a chain that cannot be worked on now.
pub struct Voice {
    open: OpenChain,
    reporter: Reporter,
}

impl Voice {
    /// The chain as it was opened last, and who spoke for it then.
    pub fn new(open: OpenChain, reporter: Reporter) -> Self {
        Voice { open, reporter }
    }

    /// Says what is the matter from now on.
    pub fn set(&mut self, state: State, attempt: u32, now: Millis) {
        self.reporter.set(state, attempt, now);
    }

    /// Says from where on the log is another one than the backup.
    pub fn diverged(&mut self, from: Option<Offset>) {
        self.reporter.diverged_from = from;
    }

    /// Says it. The position is the frontier: what was read and not stored is read again.
    pub fn say(&mut self, context: &Context) {
        self.reporter.standing(context, &self.open, self.open.frontier.next);
    }

    /// Says it of a chain whose log was read up to there, as whoever opened it last.
    pub fn say_anew(&mut self, context: &Context, position: Offset) {
        self.open.owner_epoch = context.owner_epoch(context.clock.now());
        self.reporter.standing(context, &self.open, position);
    }
}

/// Says what this process has done for topics since it started.
pub fn instance(context: &Context, backup: &str, topics: &[std::sync::Arc<str>]) {
    let now = context.clock.now();
    let elapsed_ms = u64::try_from(now.0 - context.started_at.0).unwrap_or(0);
    for topic in topics {
        let work = context.worked(backup, topic, Work::default());
        context.outbox.put(&Message::Instance(Instance {
            timestamp: now,
            backup: backup.into(),
            topic: topic.clone(),
            instance: context.instance.clone(),
            jobs_count: work.records,
            idle_us: elapsed_ms.saturating_sub(work.busy_ms) * 1_000,
            elapsed_us: elapsed_ms * 1_000,
            expires: expiry(context, now),
        }));
    }
    context.outbox.put(&process(context, now));
}

fn process(context: &Context, now: Millis) -> Message {
    let (counts, outbox) = (context.objects.counts().unwrap_or_default(), context.outbox.state());
    let mut errors = BTreeMap::<_, BTreeMap<_, _>>::new();
    for ((operation, kind), count) in counts.errors {
        errors.entry(operation).or_default().insert(kind, count);
    }
    Message::Process(Process {
        timestamp: now,
        instance: context.instance.clone(),
        memory_used_bytes: context.memory.held_bytes(),
        memory_limit_bytes: context.memory.limit_bytes(),
        publish_failures: outbox.failures,
        messages_dropped: outbox.dropped,
        requests: counts.requests,
        errors,
        missing_topics: context.missing_topics(),
        expires: expiry(context, now),
    })
}

fn expiry(context: &Context, now: Millis) -> Millis {
    let silence: Duration = context.limits.refresh * REFRESHES_OF_SILENCE;
    Millis(now.0.saturating_add(i64::try_from(silence.as_millis()).unwrap_or(i64::MAX)))
}
