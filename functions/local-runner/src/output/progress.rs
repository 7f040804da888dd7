//! Progress bars, on a terminal only.

use std::{fmt, future::Future, time::Duration};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use shared::{
    ports::records::{Kafka, RecordsError},
    record::{Offset, TopicPartition},
};

/// How often a bar looks at what is committed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a consumer group reads.
pub struct Reading {
    /// The group.
    pub group: String,
    /// The partitions that it reads to their ends.
    pub partitions: Vec<TopicPartition>,
}

/// A count of objects looked at, whose total is not known.
#[must_use]
pub fn objects(what: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}: {human_pos} objects, {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_message(what)
}

/// A count of bytes on the way to a known total.
#[must_use]
pub fn bytes(what: String, total: u64) -> ProgressBar {
    to_an_end(what, total, "{bytes}/{total_bytes}, {bytes_per_sec}")
}

/// A count of records on the way to a known total.
#[must_use]
pub fn records(what: String) -> ProgressBar {
    to_an_end(what, 0, "{human_pos}/{human_len} records, {per_sec}")
}

/// A count of messages on the way to a known total.
#[must_use]
pub fn messages(what: String) -> ProgressBar {
    to_an_end(what, 0, "{human_pos}/{human_len}, {per_sec}")
}

fn to_an_end(what: String, total: u64, counted: &str) -> ProgressBar {
    let template = format!("{{msg}} {{bar:30}} {counted}, {{left}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style.with_key("left", left)).with_message(what)
}

/// The time left. Before anything is done nobody knows it.
fn left(state: &ProgressState, out: &mut dyn fmt::Write) {
    let is_known = state.pos() > 0 || state.len() == Some(0);
    let left = if is_known { format!("{:#}", HumanDuration(state.eta())) } else { "?".to_owned() };
    // A bar that cannot be drawn stops nothing.
    let _ = out.write_str(&left);
}

/// Does some work, and shows meanwhile how much of what groups read they have committed. A bar that cannot be drawn stops
/// nothing.
pub async fn of_groups<T>(
    bar: ProgressBar,
    kafka: &dyn Kafka,
    readings: &[Reading],
    work: impl Future<Output = T>,
) -> T {
    if bar.is_hidden() {
        return work.await;
    }
    let ends = ends(kafka, readings).await.unwrap_or(0);
    let begun_at = committed(kafka, readings).await.unwrap_or(0);
    bar.set_length((ends - begun_at).max(0).unsigned_abs());
    let look = async |bar: &ProgressBar| {
        let now = committed(kafka, readings).await.unwrap_or(begun_at);
        bar.set_position((now - begun_at).max(0).unsigned_abs());
    };
    during(bar, LOOK_EVERY, work, look).await
}

/// Does some work, and lets `look` bring the bar up to date meanwhile, so often.
pub async fn during<T>(
    bar: ProgressBar,
    every: Duration,
    work: impl Future<Output = T>,
    look: impl AsyncFn(&ProgressBar),
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                bar.finish_and_clear();
                return done;
            }
            () = tokio::time::sleep(every) => look(&bar).await,
        }
    }
}

/// The sum of the ends of what is read.
async fn ends(kafka: &dyn Kafka, readings: &[Reading]) -> Result<i64, RecordsError> {
    let mut sum = 0;
    for reading in readings {
        let ends = kafka.bounds(&reading.partitions).await?;
        sum += ends.iter().flatten().map(|bounds| bounds.stable_end.0).sum::<i64>();
    }
    Ok(sum)
}

/// The sum of what the groups have committed.
async fn committed(kafka: &dyn Kafka, readings: &[Reading]) -> Result<i64, RecordsError> {
    let mut sum = 0;
    for Reading { group, partitions } in readings {
        let offsets = kafka.committed_offsets(group, partitions).await?;
        sum += offsets.into_iter().flatten().map(|Offset(offset)| offset).sum::<i64>();
    }
    Ok(sum)
}
