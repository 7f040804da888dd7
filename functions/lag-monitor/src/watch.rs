//! What somebody is to be woken by, in a few numbers: for where nobody scrapes `/metrics` (CloudWatch's alarms).

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use shared::{
    job::Word,
    metrics::{
        registers::{
            Epoch,
            epoch::{queries, snapshots},
        },
        verifications::{self, Verification},
        view::{TopicView, view},
    },
    ports::store::{Query, Value},
};

use crate::{Context, MonitorError};

/// How a backup is, at worst.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Watch {
    /// The backup.
    pub backup: Arc<str>,
    /// The least time until Kafka may delete a record that is not stored; `None` while nothing is at risk, or nothing is known.
    pub seconds_to_loss: Option<f64>,
    /// Topics of which nobody has said in time how they are.
    pub stale_topics: usize,
    /// Topics that wait for a person.
    pub failed_topics: usize,
    /// Partitions whose last segment cannot be read.
    pub unreadable_partitions: usize,
    /// What the last verifications found wrong; `None` where there was none.
    pub verify_findings: Option<u64>,
}

impl Watch {
    fn of(backup: Arc<str>, topics: &BTreeMap<Arc<str>, TopicView>, verified: &[Verification]) -> Watch {
        let live = || topics.values().filter(|topic| topic.live);
        let times = live().flat_map(|topic| topic.partitions.values()).filter_map(|it| it.lag?.seconds_to_loss);
        Watch {
            verify_findings: verified.iter().filter(|it| it.backup == backup).map(|it| it.findings).max(),
            backup,
            seconds_to_loss: times.filter(|time| time.is_finite()).reduce(f64::min),
            stale_topics: live().filter(|topic| topic.stale).count(),
            failed_topics: live().filter(|topic| topic.state.word() == Word::Failed).count(),
            unreadable_partitions: topics.values().map(|topic| topic.unreadable).sum(),
        }
    }
}

/// How each backup is whose figures are whole, from one round trip.
///
/// # Errors
/// When the store of figures does not answer.
pub async fn watch(context: &Context) -> Result<Vec<Watch>, MonitorError> {
    let backups: Vec<Arc<str>> = context.backups.iter().map(|backup| backup.name.clone()).collect();
    let queries = queries(&backups).into_iter().chain([Query::Registers(verifications::KEY.to_owned())]);
    let mut answers = context.store.read(&queries.collect::<Vec<_>>()).await?;
    let verified = match answers.pop() {
        Some(Value::Registers(registers)) => verifications::read(&registers),
        _ => vec![],
    };
    let now = context.clock.now();
    let whole = snapshots(&backups, answers).into_iter().filter(|it| matches!(it.seen.epoch, Epoch::Complete(_)));
    Ok(whole.map(|it| Watch::of(it.backup, &view(&it.registers, now), &verified)).collect())
}

#[cfg(test)]
mod tests {
    use shared::{
        chain::Totals,
        job::State,
        metrics::{lag::Lag, view::PartitionView},
        record::{Millis, Partition},
    };

    use super::*;

    fn topic(state: State, stale: bool, seconds_to_loss: &[Option<f64>]) -> TopicView {
        let lag = |seconds_to_loss| Lag { records: 1, bytes: None, seconds: None, seconds_to_loss };
        let partition = |time: &Option<f64>| PartitionView { lag: Some(lag(*time)), ..PartitionView::default() };
        TopicView {
            incarnation: None,
            partitions: (0..).map(Partition).zip(seconds_to_loss.iter().map(partition)).collect(),
            progress: None,
            totals: Totals::default(),
            present: Totals::default(),
            last_gap_at: None,
            unreadable: 0,
            live: true,
            state,
            stale,
            running: None,
        }
    }

    fn watch_of(topics: impl IntoIterator<Item = TopicView>) -> Watch {
        let names = (0..).map(|n| Arc::from(format!("topic-{n}")));
        Watch::of("main".into(), &names.zip(topics).collect(), &[])
    }

    #[test]
    fn what_the_last_verification_of_the_backup_found_counts() {
        let verified =
            |backup: &str, findings| Verification { backup: backup.into(), at: Millis(1), deep: false, findings };
        let of = |verified: &[Verification]| Watch::of("main".into(), &BTreeMap::new(), verified).verify_findings;
        assert_eq!((of(&[]), of(&[verified("other", 2)])), (None, None));
        assert_eq!(of(&[verified("other", 2), verified("main", 0)]), Some(0));
    }

    #[test]
    fn the_least_time_that_is_known_counts() {
        let topics = [
            topic(State::STREAMING, false, &[Some(900.0), None]),
            topic(State::STREAMING, false, &[Some(f64::INFINITY), Some(60.0)]),
        ];
        assert_eq!(watch_of(topics).seconds_to_loss, Some(60.0));
    }

    #[test]
    fn nothing_at_risk_is_no_time() {
        assert_eq!(watch_of([topic(State::STREAMING, false, &[Some(f64::INFINITY), None])]).seconds_to_loss, None);
    }

    #[test]
    fn topics_that_are_silent_or_wait_for_a_person_are_counted() {
        let topics = [
            topic(State::STREAMING, false, &[]),
            topic(State::CREATED, true, &[]),
            topic(State::FAILED, false, &[]),
            topic(State::TAIL_MISSING, true, &[]),
        ];
        let watch = watch_of(topics);
        assert_eq!((watch.stale_topics, watch.failed_topics), (2, 2));
    }

    #[test]
    fn a_topic_that_is_gone_wakes_nobody() {
        let gone = TopicView { live: false, ..topic(State::FAILED, true, &[Some(1.0)]) };
        let watch = watch_of([gone]);
        assert_eq!((watch.seconds_to_loss, watch.stale_topics, watch.failed_topics), (None, 0, 0));
    }
}
