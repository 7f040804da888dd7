//! Noting how far topics, partitions and locations are, a step at a time, so that the console can show the last day and month.

use shared::{
    metrics::{
        history::{self, LOCATIONS_STEP_KEY, Series, Span, Values},
        registers::epoch::Snapshot,
        replication::figures::Question,
        view::view,
    },
    ports::store::{Query, Value},
    record::Millis,
};

use crate::{Context, MonitorError};

/// So many series are read and written at a time.
const SERIES_AT_ONCE: usize = 200;

/// Notes what was `known` of a backup at this refresh, where a new step began.
pub(crate) async fn note(context: &Context, known: &Snapshot) -> Result<(), MonitorError> {
    let (step_key, now) = (history::step_key(&known.backup), context.clock.now());
    let spans = due(context, &step_key, now).await?;
    if spans.is_empty() {
        return Ok(());
    }
    let topics = view(&known.registers, now);
    let all = history::of_backup(&known.backup, &topics, context.partition_series_max);
    note_all(context, &step_key, &all, &spans, now).await
}

/// The same of the replication locations.
pub(crate) async fn note_locations(context: &Context) -> Result<(), MonitorError> {
    let now = context.clock.now();
    let spans = match context.locations.is_empty() {
        true => vec![],
        false => due(context, LOCATIONS_STEP_KEY, now).await?,
    };
    if spans.is_empty() {
        return Ok(());
    }
    let question = Question { windows: context.windows, now };
    let asked: Vec<Query> = context.locations.iter().flat_map(|name| question.queries(name)).collect();
    let mut answers = context.store.read(&asked).await?.into_iter();
    let of = |name| (Series::Location(name), Values::of_location(&question.figures(&mut answers), now));
    let all: Vec<_> = context.locations.iter().map(String::as_str).map(of).collect();
    note_all(context, LOCATIONS_STEP_KEY, &all, &spans, now).await
}

/// The spans in which a new step began.
async fn due(context: &Context, step_key: &str, now: Millis) -> Result<Vec<Span>, MonitorError> {
    let steps = context.store.read(&[Query::Registers(step_key.to_owned())]).await?;
    Ok(match &steps[..] {
        [Value::Registers(noted)] => history::due(noted, now),
        _ => vec![],
    })
}

async fn note_all(
    context: &Context,
    step_key: &str,
    all: &[(Series<'_>, Values)],
    spans: &[Span],
    now: Millis,
) -> Result<(), MonitorError> {
    for span in spans {
        for series in all.chunks(SERIES_AT_ONCE) {
            note_some(context, series, *span, now).await?;
        }
    }
    context.apply(&history::noted(step_key, spans, now)).await
}

async fn note_some(
    context: &Context,
    series: &[(Series<'_>, Values)],
    span: Span,
    now: Millis,
) -> Result<(), MonitorError> {
    let asked: Vec<Query> = series.iter().map(|(series, _)| series.query(span)).collect();
    let held = context.store.read(&asked).await?;
    let mut noted = vec![];
    for ((series, values), held) in series.iter().zip(held) {
        if let Value::Registers(held) = held {
            noted.push(series.note(span, &held, values, now));
        }
    }
    context.apply(&noted).await
}
