//! Pushing to the event gateway how far each topic is: console and metrics show it. It holds nothing up and fails nothing.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shared::{
    job::State,
    metrics::push::{Body, Kind, PARTITIONS_MAX, PartitionFigures, Ratio, message_of},
    pushing::{FLUSH_TIMEOUT, Pusher},
    restore::words::in_words,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    context::Context,
    meter::{Meter, PartitionMeter, TopicMeter},
    prepared::{Prepared, PreparedTopic},
    report::{Outcome, RestoreReport, TopicReport},
};

/// Pushes until the end is told.
pub(crate) struct Pushed {
    says: Arc<Says>,
    _saying: Option<AbortOnDropHandle<()>>,
}

/// What is pushed about.
pub(crate) struct Pushes {
    /// The kind of the job.
    pub(crate) kind: Kind,
    /// Its name: the backup's.
    pub(crate) job: String,
    /// Which run of it.
    pub(crate) run: String,
    /// The topics that are written, and how they are shown.
    pub(crate) topics: Vec<Shown>,
}

/// How a topic that is written is shown.
pub(crate) struct Shown {
    /// The name of the topic that is written.
    pub(crate) written: Arc<str>,
    /// The name that it is shown under.
    pub(crate) name: Arc<str>,
    /// What is restored into it.
    pub(crate) plan: Option<String>,
}

impl Pushes {
    /// About a restore: topics are shown under their own names.
    pub(crate) fn of_restore(context: &Context, prepared: &Prepared) -> Self {
        let shown = |topic: &PreparedTopic| Shown {
            written: topic.target_name.clone(),
            name: topic.target_name.clone(),
            plan: Some(message_of(&in_words(&topic.fixed, &topic.target_name))),
        };
        let (job, run) = (prepared.backup.backup.clone(), context.instance.clone());
        Pushes { kind: Kind::Restores, job, run, topics: prepared.topics.iter().map(shown).collect() }
    }

    fn pusher(&self, context: &Context) -> Pusher {
        Pusher::start(context.pushing.as_ref(), self.kind, &self.job, &self.run, context.clock.clone())
    }
}

/// Says what the meter shows.
struct Says {
    pusher: Pusher,
    meter: Arc<Meter>,
    topics: Vec<Shown>,
    /// The topics whose beginning was told.
    begun: Mutex<BTreeSet<Arc<str>>>,
}

impl Pushed {
    /// Tells that the topics are being made ready, and begins to push what the meter of `context` shows.
    pub(crate) fn start(context: &Context, pushes: Pushes) -> Self {
        let meter = context.meter.clone();
        meter.begin();
        let pusher = pushes.pusher(context);
        for Shown { name, plan, .. } in &pushes.topics {
            pusher.started(name, Body { state: Some(State::INITIALIZING), plan: plan.clone(), ..Body::default() });
        }
        let says = Arc::new(Says { pusher, meter, topics: pushes.topics, begun: Mutex::default() });
        let saying = || AbortOnDropHandle::new(tokio::spawn(say(says.clone(), context.limits.push_every)));
        let saying = says.pusher.is_on().then(saying);
        Pushed { says, _saying: saying }
    }

    /// Tells how it ended, and waits a moment for that to arrive.
    pub(crate) async fn end(self, report: &RestoreReport) {
        let Pushed { says, _saying: saying } = self;
        drop(saying);
        for topic in &report.topics {
            let meter = says.meter.topic(&topic.target);
            if let Some(meter) = &meter {
                says.begin(&topic.target, meter);
            }
            says.pusher.stopped(&says.shown(&topic.target), ended(topic, meter));
        }
        says.pusher.flush(FLUSH_TIMEOUT).await;
    }
}

impl Says {
    /// Tells once how far the topic was when this run began. One that failed before has no figures.
    fn begin(&self, topic: &Arc<str>, shown: &TopicMeter) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if !shown.partitions.is_empty() && begun.insert(topic.clone()) {
            let plan = self.of(topic).and_then(|shown| shown.plan.clone());
            let body = Body { state: Some(State::STREAMING), plan, ..figures(&shown.as_begun()) };
            self.pusher.started(&self.shown(topic), body);
        }
    }

    /// The name under which a topic is shown.
    fn shown(&self, topic: &Arc<str>) -> Arc<str> {
        self.of(topic).map_or_else(|| topic.clone(), |shown| shown.name.clone())
    }

    fn of(&self, topic: &Arc<str>) -> Option<&Shown> {
        self.topics.iter().find(|shown| shown.written == *topic)
    }
}

/// Tells that nothing is restored, and why.
pub(crate) async fn refused(context: &Context, prepared: &Prepared) {
    let pusher = Pushes::of_restore(context, prepared).pusher(context);
    for topic in &prepared.topics {
        let source = &topic.fixed.source;
        let refusals = prepared.findings.iter().filter(|it| it.is_refusal());
        let own: Vec<_> = refusals.filter(|it| it.topic.as_ref() == Some(source)).map(ToString::to_string).collect();
        let why = if own.is_empty() { "the plan is refused for another reason".to_owned() } else { own.join("; ") };
        let body = Body { state: Some(State::REFUSED), message: Some(message_of(&why)), ..Body::default() };
        pusher.stopped(&topic.target_name, body);
    }
    pusher.flush(FLUSH_TIMEOUT).await;
}

async fn say(says: Arc<Says>, every: Duration) {
    loop {
        for (topic, shown) in says.meter.topics().into_iter().filter(|(_, shown)| !shown.partitions.is_empty()) {
            says.begin(&topic, &shown);
            says.pusher.progress(&says.shown(&topic), Body { state: Some(State::STREAMING), ..figures(&shown) });
        }
        tokio::time::sleep(every).await;
    }
}

/// What is committed by now.
fn figures(topic: &TopicMeter) -> Body {
    let sum = |of: fn(&PartitionMeter) -> u64| Some(topic.sum(of));
    let partitions = match topic.partitions.len() {
        0..=PARTITIONS_MAX => {
            topic.partitions.iter().map(|(partition, meter)| of_partition(partition.0, meter)).collect()
        }
        _ => vec![],
    };
    Body {
        progress: Ratio::of(topic.progress()),
        records_count: sum(|it| it.counts.records),
        records_total: sum(PartitionMeter::records_total),
        records_filtered_count: sum(|it| it.counts.filtered),
        bytes_count: sum(|it| it.counts.record_bytes),
        bytes_total: sum(PartitionMeter::record_bytes_total),
        segments_count: sum(PartitionMeter::segments),
        segments_total: sum(|it| it.segment_ends.len() as u64),
        errors_count: Some(topic.errors),
        partitions,
        ..Body::default()
    }
}

fn of_partition(number: i32, meter: &PartitionMeter) -> PartitionFigures {
    PartitionFigures {
        partition: u32::try_from(number).unwrap_or(0),
        progress: Ratio::of(meter.progress()),
        records_count: Some(meter.counts.records),
        records_total: Some(meter.records_total()),
    }
}

/// How a topic ended. Before it was begun there are no figures.
fn ended(topic: &TopicReport, meter: Option<TopicMeter>) -> Body {
    let state = match topic.outcome {
        Outcome::Done => Some(State::DONE),
        Outcome::Refused => Some(State::REFUSED),
        Outcome::Failed => Some(State::FAILED),
        Outcome::Stopped => Some(State::PAUSED),
        Outcome::TakenOver | Outcome::Planned => None,
    };
    let figures = match meter {
        Some(meter) if meter.partitions.is_empty() && topic.outcome != Outcome::Done => {
            Body { errors_count: Some(meter.errors), ..Body::default() }
        }
        Some(meter) => figures(&meter),
        None => Body::default(),
    };
    Body { state, message: topic.error.as_deref().map(message_of), ..figures }
}
