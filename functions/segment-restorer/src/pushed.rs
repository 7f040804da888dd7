//! Pushing to the event gateway how far each topic is, so that the console shows it. It holds nothing up and fails nothing.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shared::{
    job::State,
    metrics::push::{Body, Kind, Ratio},
    pushing::{FLUSH_TIMEOUT, Pusher},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    context::{Context, Meter, TopicMeter},
    report::{Outcome, PartitionReport, RestoreReport, TopicReport},
};

/// From one push to the next.
const EVERY: Duration = Duration::from_secs(2);

/// Pushes until the end is told.
pub(crate) struct Pushed {
    pusher: Pusher,
    _saying: Option<AbortOnDropHandle<()>>,
}

impl Pushed {
    /// Begins to push what the meter of `context` shows.
    pub(crate) fn start(context: &Context, backup: &str) -> Self {
        context.meter.begin();
        let clock = context.clock.clone();
        let pusher = Pusher::start(context.pushing.as_ref(), Kind::Restores, backup, &context.instance, clock);
        let saying = || AbortOnDropHandle::new(tokio::spawn(say(pusher.clone(), context.meter.clone())));
        let saying = pusher.is_on().then(saying);
        Pushed { pusher, _saying: saying }
    }

    /// Tells how it ended, and waits a moment for that to arrive.
    pub(crate) async fn end(self, report: &RestoreReport) {
        let Pushed { pusher, _saying: saying } = self;
        drop(saying);
        for topic in &report.topics {
            pusher.stopped(&topic.target, ended(topic));
        }
        pusher.flush(FLUSH_TIMEOUT).await;
    }
}

async fn say(pusher: Pusher, meter: Arc<Meter>) {
    let mut begun = BTreeSet::new();
    loop {
        for (topic, shown) in meter.topics() {
            if begun.insert(topic.clone()) {
                pusher.started(&topic, Body { records_total: Some(shown.records_total), ..Body::default() });
            }
            pusher.progress(&topic, under_way(shown));
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn under_way(shown: TopicMeter) -> Body {
    let TopicMeter { records, bytes, records_total } = shown;
    Body {
        state: Some(State::STREAMING),
        progress: ratio(records, records_total),
        records_count: Some(records),
        records_total: Some(records_total),
        bytes_count: Some(bytes),
        ..Body::default()
    }
}

fn ended(topic: &TopicReport) -> Body {
    let state = match topic.outcome {
        Outcome::Done => Some(State::DONE),
        Outcome::Failed | Outcome::Refused => Some(State::FAILED),
        Outcome::Stopped => Some(State::PAUSED),
        Outcome::TakenOver | Outcome::Planned => None,
    };
    let sum = |of: fn(&PartitionReport) -> u64| topic.partitions.iter().map(of).fold(0, u64::saturating_add);
    let filtered = sum(|it| it.counts.filtered);
    let message =
        topic.error.as_ref().map(|error| error.chars().take(shared::metrics::push::MESSAGE_CHARS_MAX).collect());
    Body {
        state,
        // What there is at most may be more than there was.
        progress: (topic.outcome == Outcome::Done).then(|| Ratio::of(1.0)).flatten(),
        records_count: Some(sum(|it| it.counts.records)),
        records_filtered_count: Some(filtered),
        bytes_count: Some(sum(|it| it.counts.record_bytes)),
        message,
        ..Body::default()
    }
}

fn ratio(done: u64, total: u64) -> Option<Ratio> {
    if total == 0 { Ratio::of(1.0) } else { Ratio::of(done as f64 / total as f64) }
}

#[cfg(test)]
mod tests {
    use shared::restore::progress::Counts;

    use super::*;

    #[test]
    fn a_topic_under_way_tells_its_share_and_one_that_ended_how() {
        let meter = Meter::default();
        let topic: Arc<str> = "copy".into();
        meter.expect(&topic, 400);
        meter.committed(&topic, Counts { records: 90, filtered: 10, record_bytes: 5_000, ..Counts::default() });
        let [(name, shown)] = &meter.topics()[..] else { panic!("one topic") };
        let body = under_way(*shown);
        assert_eq!((&**name, body.progress.map(Ratio::get), body.records_total), ("copy", Some(0.25), Some(400)));
        let report = |outcome, error: Option<&str>| TopicReport {
            source: "orders".into(),
            incarnation: 1,
            target: "copy".into(),
            outcome,
            error: error.map(str::to_owned),
            partitions: vec![],
        };
        let failed = ended(&report(Outcome::Failed, Some("the target is full")));
        assert_eq!((failed.state, failed.message.as_deref()), (Some(State::FAILED), Some("the target is full")));
        let done = ended(&report(Outcome::Done, None));
        assert_eq!((done.state, done.progress.map(Ratio::get)), (Some(State::DONE), Some(1.0)));
    }
}
