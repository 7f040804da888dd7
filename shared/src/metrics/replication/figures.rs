//! The figures of a location, from one reading.

use super::counters::{LATENCY_BOUNDS_MS, LATENCY_BUCKETS, REASONS, SIZES, key, missing, pending, recent};
use crate::{
    metrics::{
        backbeat::keys::{self, Pending, Windows},
        number,
    },
    ports::store::{Query, Value},
    record::Millis,
};

/// The figures of a location, or of several together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figures {
    /// Pending operations.
    pub pending_ops: f64,
    /// Their bytes.
    pub pending_bytes: f64,
    /// Completed operations and their bytes, by size ([`SIZES`]).
    pub completed: [(f64, f64); SIZES.len()],
    /// Failed attempts, by reason ([`REASONS`]).
    pub failed: [f64; REASONS.len()],
    /// Their bytes.
    pub failed_bytes: f64,
    /// How long operations took from being queued to being completed, by bucket.
    pub latency: [f64; LATENCY_BUCKETS],
    /// All of that together, in milliseconds.
    pub latency_ms: f64,
    /// The same, of operations that were completed in the window.
    pub recent: [f64; LATENCY_BUCKETS],
    /// Since when the operation is pending that is so longest; `None` where none is.
    pub pending_since: Option<Millis>,
    /// Since when the object is missing at the location that is so longest; `None` where none is.
    pub missing_since: Option<Millis>,
}

/// Which figures, at which time.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// How time is cut.
    pub windows: Windows,
    /// The time of the question.
    pub now: Millis,
}

impl Question {
    /// What to read for a location: so many keys, whatever the store holds.
    #[must_use]
    pub fn queries(&self, location: &str) -> Vec<Query> {
        let text = |counter: &str| Query::Text(key(location, counter));
        let mut queries = vec![
            Query::Text(keys::pending(location, Pending::Ops)),
            Query::Text(keys::pending(location, Pending::Bytes)),
        ];
        queries
            .extend(SIZES.iter().flat_map(|size| [text(&format!("done:{size}")), text(&format!("done-bytes:{size}"))]));
        queries.extend(REASONS.iter().map(|reason| text(&format!("failed:{reason}"))));
        queries.push(text("failed-bytes"));
        queries.extend((0..LATENCY_BUCKETS).map(|bucket| text(&format!("latency:{bucket}"))));
        queries.push(text("latency-ms"));
        for interval in self.windows.latest(self.now, self.windows.count(self.windows.window_s)) {
            queries.extend((0..LATENCY_BUCKETS).map(|bucket| Query::Text(recent(location, bucket, interval))));
        }
        queries.extend([Query::Longest(pending(location)), Query::Longest(missing(location))]);
        queries
    }

    /// The answers to [`Question::queries`] of a location.
    pub fn figures(&self, answers: &mut impl Iterator<Item = Value>) -> Figures {
        let mut texts = answers.map(|answer| if let Value::Text(text) = answer { text } else { None });
        let mut next = || number::counter(texts.next().flatten().as_deref());
        let mut figures = Figures {
            pending_ops: next(),
            pending_bytes: next(),
            completed: std::array::from_fn(|_| (next(), next())),
            failed: std::array::from_fn(|_| next()),
            failed_bytes: next(),
            latency: std::array::from_fn(|_| next()),
            latency_ms: next(),
            ..Figures::default()
        };
        for _ in 0..self.windows.count(self.windows.window_s) {
            figures.recent.iter_mut().for_each(|count| *count += next());
        }
        let mut since = || texts.next().flatten().and_then(|text| text.parse().ok()).map(Millis);
        (figures.pending_since, figures.missing_since) = (since(), since());
        figures
    }
}

impl Figures {
    /// How many operations were completed.
    #[must_use]
    pub fn completed_ops(&self) -> f64 {
        self.completed.iter().map(|(ops, _)| ops).sum()
    }

    /// How many attempts failed.
    #[must_use]
    pub fn failed_ops(&self) -> f64 {
        self.failed.iter().sum()
    }

    /// How many attempts were asked for: each is pending, completed or failed.
    #[must_use]
    pub fn queued_ops(&self) -> f64 {
        self.pending_ops + self.completed_ops() + self.failed_ops()
    }

    /// How long the operation is pending that is so longest, in seconds; 0 where none is.
    #[must_use]
    pub fn oldest_pending_s(&self, now: Millis) -> f64 {
        age_s(self.pending_since, now)
    }

    /// How far the location is behind, in seconds: the age of the oldest operation whose object it lacks; 0 where it lacks none.
    #[must_use]
    pub fn lag_s(&self, now: Millis) -> f64 {
        age_s(self.missing_since, now)
    }

    /// The latency in seconds that this share of the operations completed in the window did not exceed, as Prometheus' function
    /// `histogram_quantile` estimates it; `None` where none was completed.
    #[must_use]
    pub fn latency_s(&self, share: f64) -> Option<f64> {
        let total: f64 = self.recent.iter().sum();
        let (wanted, mut below) = (share * total, 0.0);
        for (index, count) in self.recent.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            if below + count >= wanted {
                let bound = |index: usize| LATENCY_BOUNDS_MS.get(index).map(|bound| *bound as f64 / 1_000.0);
                let lower = index.checked_sub(1).and_then(bound).unwrap_or(0.0);
                return Some(bound(index).map_or(lower, |upper| lower + (upper - lower) * (wanted - below) / count));
            }
            below += count;
        }
        None
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Figures) -> Figures {
        self.pending_ops += other.pending_ops;
        self.pending_bytes += other.pending_bytes;
        for (sum, more) in self.completed.iter_mut().zip(other.completed) {
            *sum = (sum.0 + more.0, sum.1 + more.1);
        }
        let add = |sums: &mut [f64], more: &[f64]| sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        add(&mut self.failed, &other.failed);
        add(&mut self.latency, &other.latency);
        add(&mut self.recent, &other.recent);
        self.failed_bytes += other.failed_bytes;
        self.latency_ms += other.latency_ms;
        let earlier = |one: Option<Millis>, other: Option<Millis>| one.into_iter().chain(other).min();
        self.pending_since = earlier(self.pending_since, other.pending_since);
        self.missing_since = earlier(self.missing_since, other.missing_since);
        self
    }
}

fn age_s(since: Option<Millis>, now: Millis) -> f64 {
    since.map_or(0.0, |since| now.0.saturating_sub(since.0).max(0) as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        adapters::memory::{clock::ManualClock, store::MemoryStore},
        metrics::effects,
        ports::store::Store as _,
        record::{Offset, Record, TimestampType},
        replication::{ReasonKind, State, Status, Subject, event},
    };

    const AT: Millis = Millis(1_700_000_000_000);

    struct World {
        store: MemoryStore,
        question: Question,
    }

    impl World {
        fn new() -> World {
            let store = MemoryStore::new(Arc::new(ManualClock::at(AT)));
            World { store, question: Question { windows: Windows::default(), now: Millis(AT.0 + 60_000) } }
        }

        async fn count(&self, status: &Status) {
            let value = event::of_status(status).value;
            let record = Record {
                offset: Offset(0),
                timestamp: status.changed_at,
                timestamp_type: TimestampType::CreateTime,
                key: None,
                value,
                headers: vec![],
            };
            self.store.apply(&[], &effects::of_record(&record, self.question.windows).operations()).await.unwrap();
        }

        async fn figures(&self) -> Figures {
            let answers = self.store.read(&self.question.queries("l")).await.unwrap();
            self.question.figures(&mut answers.into_iter())
        }
    }

    fn queued(version: u64) -> Status {
        let version = version.to_string();
        let subject = Subject { location: "l".into(), bucket: "b".into(), key: "k".into(), version };
        Status::queued(subject, 2_000, AT)
    }

    fn after(ms: i64) -> Millis {
        Millis(AT.0 + ms)
    }

    #[tokio::test]
    async fn an_operation_is_seen_waiting_then_failed_then_done_and_nothing_that_was_counted_is_taken_back() {
        let world = World::new();
        let first = queued(1);
        world.count(&first).await;
        let now = world.figures().await;
        assert_eq!((now.queued_ops(), now.pending_ops, now.oldest_pending_s(after(9_000))), (1.0, 1.0, 9.0));

        let failed = first.failed(ReasonKind::Refused, "no".into(), None, after(1_000));
        world.count(&failed).await;
        let now = world.figures().await;
        assert_eq!((now.queued_ops(), now.pending_ops, now.failed[1], now.failed_bytes), (1.0, 0.0, 1.0, 2_000.0));
        assert_eq!(
            (now.oldest_pending_s(after(9_000)), now.lag_s(after(9_000))),
            (0.0, 9.0),
            "it is not at the location"
        );

        let again = failed.again(after(2_000));
        world.count(&again).await;
        world.count(&again.completed(after(3_000))).await;
        let now = world.figures().await;
        assert_eq!((now.queued_ops(), now.pending_ops, now.failed_ops()), (2.0, 0.0, 1.0));
        assert_eq!((now.completed[1], now.lag_s(after(9_000))), ((1.0, 2_000.0), 0.0));
        assert_eq!((now.latency[4], now.latency_ms, now.recent[4]), (1.0, 3_000.0, 1.0));
        assert_eq!(now.latency_s(0.5), Some(3.75), "between 2.5 and 5 s");
    }

    #[test]
    fn percentiles_are_those_of_the_window() {
        let mut figures = Figures::default();
        assert_eq!(figures.latency_s(0.5), None);
        (figures.recent[0], figures.recent[2], figures.recent[14]) = (90.0, 9.0, 1.0);
        assert_eq!(figures.latency_s(0.5), Some(0.1 * 50.0 / 90.0));
        assert!(figures.latency_s(0.95).unwrap() > 0.5 && figures.latency_s(0.95).unwrap() < 1.0);
        assert_eq!(figures.latency_s(1.0), Some(86_400.0), "what took longest has no upper bound");
    }

    /// An event of one of a few operations: which one, its attempt, its state.
    fn events() -> impl Strategy<Value = Vec<Status>> {
        let one = (0_u64..4, 1_u32..4, 0_u8..3).prop_map(|(version, attempt, state)| {
            let state = [State::Pending, State::Failed, State::Completed][usize::from(state)];
            let reason_kind = (state == State::Failed).then_some(ReasonKind::Unavailable);
            Status { attempt, state, reason_kind, changed_at: after(1_000), ..queued(version) }
        });
        prop::collection::vec(one, 0..40)
    }

    proptest! {
        /// Case P33: totals that jump up and down, and do not add up.
        #[test]
        fn pending_is_what_was_queued_and_did_not_end_at_any_moment_and_no_counter_ever_falls(events in events()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async move {
                let world = World::new();
                let mut before = Figures::default();
                for status in &events {
                    world.count(status).await;
                    let now = world.figures().await;
                    assert_eq!(now.pending_ops, now.queued_ops() - now.completed_ops() - now.failed_ops());
                    assert!(now.pending_ops >= 0.0, "{now:?}");
                    let falls = |was: f64, is: f64| is < was;
                    assert!(!falls(before.queued_ops(), now.queued_ops()), "{before:?} then {now:?}");
                    assert!(!before.completed.iter().zip(&now.completed).any(|(was, is)| falls(was.0, is.0) || falls(was.1, is.1)));
                    assert!(!before.failed.iter().zip(&now.failed).any(|(was, is)| falls(*was, *is)));
                    assert!(!before.latency.iter().zip(&now.latency).any(|(was, is)| falls(*was, *is)));
                    before = now;
                }
                let is_pending = before.pending_ops > 0.0;
                assert_eq!(before.pending_since.is_some(), is_pending);
            });
        }
    }
}
