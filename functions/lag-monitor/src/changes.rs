//! Whether the counters of Backbeat's changes are whole: metrics-consumer counts again by itself what a store lost, and
//! here it is seen when it has.

use shared::{
    metrics::{
        keys,
        registers::{Epoch, Scope, Seen},
    },
    ports::{
        records::LogBounds,
        store::{Query, Value},
    },
    record::Offset,
};

use crate::{
    Context, MonitorError,
    epoch::{self, rebuilding_since},
    kept::Kept,
};

/// How far each partition must be counted, by the key of its position; order: the epoch. It is kept in the store because
/// a log that grows all the time is never counted to its end. Those of a topic that was deleted stay there unused.
const WANTED: &str = "hw1:changes:targets";

/// How far a partition of the metrics topic must be counted.
struct Wanted {
    position_key: String,
    end: Offset,
}

/// Begins and completes the epoch of the changes, where that is due. Answers whether they are whole.
pub(crate) async fn refresh(context: &Context) -> Result<bool, MonitorError> {
    let (seen, _) = look(context, &[]).await?;
    let begun = epoch::begin(context, Scope::Changes, &seen).await?;
    let Some(since) = rebuilding_since(begun) else { return Ok(matches!(begun, Epoch::Complete(_))) };
    let wanted = wanted(context, since).await?;
    epoch::complete(context, Scope::Changes, begun, || look(context, &wanted)).await
}

/// Where the logs that exist now ended at some moment after the epoch began, so that everything that was counted before
/// lies below. The position in a log that is gone never moves again: it is not waited for.
async fn wanted(context: &Context, since: i64) -> Result<Vec<Wanted>, MonitorError> {
    let kept = Kept::read(context, WANTED.to_owned(), since).await?;
    let known = kept.values(|value| value.parse().ok().map(Offset));
    let ends = log_ends(context).await?;
    let (of_before, new): (Vec<Wanted>, Vec<Wanted>) =
        ends.into_iter().partition(|wanted| known.contains_key(&wanted.position_key));
    kept.keep(context, new.iter().map(|wanted| (wanted.position_key.clone(), wanted.end.to_string()))).await?;
    let of_before =
        of_before.into_iter().map(|wanted| Wanted { end: wanted.end.min(known[&wanted.position_key]), ..wanted });
    Ok(of_before.chain(new).collect())
}

/// Where the partitions end now; a log that holds nothing has nothing to count.
async fn log_ends(context: &Context) -> Result<Vec<Wanted>, MonitorError> {
    let topics = context.kafka.topics(Some(std::slice::from_ref(&context.metrics_topic))).await?;
    let none = || MonitorError::NoMetricsTopic(context.metrics_topic.clone());
    let topic = topics.into_iter().next().ok_or_else(none)?;
    let partitions: Vec<_> = topic.each_partition().collect();
    let mut wanted = vec![];
    for (partition, bounds) in partitions.iter().zip(context.kafka.bounds(&partitions).await?) {
        let LogBounds { start, stable_end: end, .. } = bounds?;
        if start < end {
            wanted.push(Wanted { position_key: keys::position(&topic.id, partition.partition), end });
        }
    }
    Ok(wanted)
}

/// The epoch, and whether everything wanted is counted, at one moment.
async fn look(context: &Context, wanted: &[Wanted]) -> Result<(Seen, bool), MonitorError> {
    let positions = wanted.iter().map(|wanted| Query::Text(wanted.position_key.clone()));
    let queries: Vec<Query> = Scope::Changes.queries().into_iter().chain(positions).collect();
    let mut answers = context.store.read(&queries).await?.into_iter();
    let seen = Seen::read(&mut answers);
    let counted = wanted.iter().zip(answers).all(|(wanted, answer)| position(&answer) >= Some(wanted.end));
    Ok((seen, counted))
}

fn position(answer: &Value) -> Option<Offset> {
    match answer {
        Value::Text(text) => text.as_deref()?.parse().ok().map(Offset),
        Value::Registers(_) => None,
    }
}
