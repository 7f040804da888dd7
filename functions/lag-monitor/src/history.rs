//! Noting how far each topic is, a step at a time, so that the console can show the last day and month.

use shared::{
    metrics::{history, registers::epoch::Snapshot, view::view},
    ports::store::{Operation, Query, Value},
};

use crate::{Context, MonitorError};

/// So many topics are read and written at a time.
const TOPICS_AT_ONCE: usize = 200;

/// Notes what was `known` at this refresh, where a new step began.
pub(crate) async fn note(context: &Context, known: &Snapshot) -> Result<(), MonitorError> {
    let (backup, now) = (&*known.backup, context.clock.now());
    let steps = context.store.read(&[Query::Registers(history::step_key(backup))]).await?;
    let spans = match &steps[..] {
        [Value::Registers(noted)] => history::due(noted, now),
        _ => vec![],
    };
    if spans.is_empty() {
        return Ok(());
    }
    let views = view(&known.registers, now);
    for topics in history::kept(&views).chunks(TOPICS_AT_ONCE) {
        let queries: Vec<Query> = history::queries(backup, topics.iter().map(|(name, _)| &***name)).collect();
        let held = context.store.read(&queries).await?;
        let operations = topics.iter().zip(held).flat_map(|((name, topic), held)| match held {
            Value::Registers(held) => history::note(backup, name, topic, &held, &spans, now),
            Value::Text(_) => vec![],
        });
        context.store.apply(&[], &operations.collect::<Vec<Operation>>()).await?;
    }
    context.store.apply(&[], &history::noted(backup, &spans, now)).await?;
    Ok(())
}
