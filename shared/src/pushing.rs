//! Pushing progress to the event gateway without ever holding a job up.
//!
//! A job says what it has to say to a [`Pusher`] and goes on. A task of its own hands it over, and keeps only the latest of
//! each event of a topic meanwhile. While the gateway is away nothing piles up, and the next push that arrives heals it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    metrics::push::{Body, Event, Kind, Push},
    ports::{clock::Clock, event_gateway::EventGateway},
};

/// The wait after a push was not taken; it doubles.
const WAIT_MIN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(15);
/// How long the end of a job waits for its last pushes.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Says how one run of a job is.
#[derive(Clone)]
pub struct Pusher {
    run: Arc<Run>,
    /// `None`: pushing is off.
    queue: Option<Arc<Queue>>,
    _task: Option<Arc<AbortOnDropHandle<()>>>,
}

/// Where jobs push, and how they are addressed.
#[derive(Clone)]
pub struct Pushing {
    /// The gateway.
    pub gateway: Arc<dyn EventGateway>,
    /// The namespace that pushes are addressed with.
    pub namespace: Arc<str>,
}

/// Which run of a job.
struct Run {
    kind: Kind,
    namespace: Arc<str>,
    name: Arc<str>,
    uuid: Arc<str>,
}

/// What waits to be handed over: the latest of each topic and event.
struct Queue {
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    changed: Notify,
    emptied: Notify,
}

#[derive(Default)]
struct Waiting {
    pushes: BTreeMap<(Arc<str>, Event), Push>,
    /// One is on its way.
    busy: bool,
    sequence: u64,
}

impl Pusher {
    /// Pushes what is said of a run of a job; to nobody where pushing is off.
    #[must_use]
    pub fn start(pushing: Option<&Pushing>, kind: Kind, name: &str, uuid: &str, clock: Arc<dyn Clock>) -> Self {
        let namespace = pushing.map(|it| it.namespace.clone()).unwrap_or_default();
        let run = Arc::new(Run { kind, namespace, name: name.into(), uuid: uuid.into() });
        let Some(gateway) = pushing.map(|it| it.gateway.clone()) else {
            return Pusher { run, queue: None, _task: None };
        };
        let queue =
            Arc::new(Queue { clock, waiting: Mutex::default(), changed: Notify::new(), emptied: Notify::new() });
        let task = AbortOnDropHandle::new(tokio::spawn(hand_over(queue.clone(), gateway)));
        Pusher { run, queue: Some(queue), _task: Some(Arc::new(task)) }
    }

    /// Says that the work on a topic began.
    pub fn started(&self, topic: &str, body: Body) {
        self.say(topic, Event::Started, body);
    }

    /// Says how far the work on a topic is.
    pub fn progress(&self, topic: &str, body: Body) {
        self.say(topic, Event::Progress, body);
    }

    /// Says that the work on a topic ended.
    pub fn stopped(&self, topic: &str, body: Body) {
        self.say(topic, Event::Stopped, body);
    }

    fn say(&self, topic: &str, event: Event, body: Body) {
        let Some(queue) = &self.queue else { return };
        let Run { kind, namespace, name, uuid } = &*self.run;
        let mut waiting = queue.waiting();
        waiting.sequence += 1;
        let push = Push {
            timestamp: queue.clock.now(),
            sequence: waiting.sequence,
            kind: *kind,
            namespace: namespace.clone(),
            name: name.clone(),
            uuid: uuid.clone(),
            topic: topic.into(),
            event,
            body,
        };
        waiting.pushes.insert((push.topic.clone(), event), push);
        drop(waiting);
        queue.changed.notify_one();
    }

    /// Whether anything is pushed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Waits until everything was handed over, at most so long. What was not by then is lost.
    pub async fn flush(&self, at_most: Duration) {
        let Some(queue) = &self.queue else { return };
        let _ = tokio::time::timeout(at_most, queue.empty()).await;
    }
}

impl Queue {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            let is_empty = {
                let waiting = self.waiting();
                waiting.pushes.is_empty() && !waiting.busy
            };
            if is_empty {
                return;
            }
            emptied.await;
        }
    }

    /// The one that was said first.
    fn take(&self) -> Option<Push> {
        let mut waiting = self.waiting();
        let first = waiting.pushes.iter().min_by_key(|(_, push)| push.sequence).map(|(key, _)| key.clone());
        let push = first.and_then(|key| waiting.pushes.remove(&key));
        waiting.busy = push.is_some();
        push
    }

    /// Puts one back that was not taken, unless something newer was said.
    fn put_back(&self, push: Push) {
        let mut waiting = self.waiting();
        waiting.pushes.entry((push.topic.clone(), push.event)).or_insert(push);
        waiting.busy = false;
    }
}

async fn hand_over(queue: Arc<Queue>, gateway: Arc<dyn EventGateway>) {
    let mut failures = 0_u32;
    loop {
        let Some(push) = queue.take() else {
            queue.emptied.notify_waiters();
            queue.changed.notified().await;
            continue;
        };
        match gateway.push(&push).await {
            Ok(()) => failures = 0,
            Err(error) if error.retry() => {
                log_outage(failures, &error);
                queue.put_back(push);
                tokio::time::sleep(WAIT_MIN.saturating_mul(1 << failures.min(8)).min(WAIT_MAX)).await;
                failures += 1;
            }
            Err(error) => log_outage(OUTAGE, &error),
        }
    }
}

/// So many failures in a row are an outage: a process that is stopping refuses a few.
const OUTAGE: u32 = 4;

/// An outage is told once; the job goes on without.
fn log_outage(failures: u32, error: &(dyn std::error::Error + 'static)) {
    match failures {
        OUTAGE => tracing::warn!(error, "progress was not pushed: {error}; the job goes on, and pushes again"),
        _ => tracing::debug!(error, "progress was not pushed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapters::memory::{clock::ManualClock, event_gateway::MemoryGateway},
        record::Millis,
    };

    fn pusher() -> (Pusher, Arc<MemoryGateway>) {
        let gateway = Arc::new(MemoryGateway::default());
        let pushing = Pushing { gateway: gateway.clone(), namespace: "n".into() };
        let clock = Arc::new(ManualClock::at(Millis(5)));
        (Pusher::start(Some(&pushing), Kind::Restores, "j", "u", clock), gateway)
    }

    fn records(count: u64) -> Body {
        Body { records_count: Some(count), ..Body::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_is_handed_over_in_its_order() {
        let (pusher, gateway) = pusher();
        pusher.started("orders", Body::default());
        pusher.progress("orders", records(5));
        pusher.stopped("orders", records(9));
        pusher.flush(FLUSH_TIMEOUT).await;
        let got: Vec<_> = gateway.pushes().iter().map(|push| (push.event, push.body.records_count)).collect();
        assert_eq!(got, [(Event::Started, None), (Event::Progress, Some(5)), (Event::Stopped, Some(9))]);
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_gateway_is_away_only_the_latest_waits_and_the_end_does_not() {
        let (pusher, gateway) = pusher();
        gateway.set_away(true);
        for count in 0..1_000 {
            pusher.progress("orders", records(count));
        }
        pusher.flush(FLUSH_TIMEOUT).await;
        assert!((1..20).contains(&gateway.asked()), "{}", gateway.asked());
        gateway.set_away(false);
        pusher.flush(WAIT_MAX).await;
        let counts: Vec<_> = gateway.pushes().iter().map(|push| push.body.records_count).collect();
        assert_eq!(counts, [Some(999)]);
    }

    #[tokio::test]
    async fn with_pushing_off_nothing_happens() {
        let pusher = Pusher::start(None, Kind::Backups, "j", "u", Arc::new(ManualClock::at(Millis(5))));
        pusher.started("orders", Body::default());
        pusher.flush(FLUSH_TIMEOUT).await;
    }
}
