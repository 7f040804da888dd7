//! What the commands have in common that restore: into a cluster, into files, and for a drill.

use std::{sync::Arc, time::Duration};

use indicatif::ProgressBar;
use segment_restorer::{Context, Meter, Outcome, RestoreError};
use shared::{
    adapters::{connect, instance, settings, system_clock::SystemClock},
    config::Settings,
    record::Partition,
    restore::{Finding, Missing, Severity},
};

use crate::{
    failure::{Failure, Verdict},
    output::progress,
    storage::Storage,
};

/// How often the progress bar looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Segment-restorer in this process, and the settings that it has.
pub(super) async fn context(config: Option<&str>, storage: &Storage) -> Result<(Context, Settings), Failure> {
    let settings = match &storage.settings {
        Some(settings) => settings.clone(),
        None => settings::load(config).await?,
    };
    let target = connect::target(&settings).await?;
    let clock = Arc::new(SystemClock);
    let mut context = Context::new(storage.objects.clone(), target, clock, &instance::name(&SystemClock));
    context.pushing = connect::event_gateway(&settings, connect::neighbour_gateway(&settings).await)?;
    Ok((context, settings))
}

/// What the exit code says of an outcome.
pub(super) fn judged(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Done | Outcome::Planned => Verdict::Good,
        _ => Verdict::Wrong,
    }
}

/// Shows meanwhile how many records are committed.
pub(super) async fn with_progress<T>(
    what: &str,
    meter: &Meter,
    restore: impl Future<Output = Result<T, RestoreError>>,
) -> Result<T, RestoreError> {
    let look = async |bar: &ProgressBar| {
        let (done, all) = meter.records();
        bar.set_length(all);
        bar.set_position(done);
    };
    progress::during(progress::records(what.to_owned()), LOOK_EVERY, restore, look).await
}

/// What was found, a line each.
pub(super) fn findings(findings: &[Finding]) -> String {
    let line = |finding: &Finding| match finding.severity {
        Severity::Refused => format!("refused  {finding}\n"),
        Severity::Note => format!("note     {finding}\n"),
    };
    findings.iter().map(line).collect()
}

/// What a restore came to that is done, where the records are now: all that were asked for, or how much is missing.
pub(super) fn done<'a>(missing: impl Iterator<Item = &'a Missing>, place: &str) -> String {
    let (ranges, offsets) = missing.fold((0, 0), |(ranges, offsets), it| (ranges + 1, offsets + (it.to.0 - it.from.0)));
    if ranges == 0 {
        return format!("done: every record that was asked for is in {place}\n");
    }
    format!(
        "done, but for what is missing (ranges: {ranges}, offsets: {offsets}): every other record that was asked for is in {place}\n"
    )
}

/// What is missing of a source's partition, and where it is therefore not.
pub(super) fn missing_line(source: &str, partition: Partition, it: &Missing, what: &str) -> String {
    let Missing { from, to, key, why } = it;
    format!("missing  {source}-{partition}: offsets {from} to {to} {what}: {key}: {why}\n")
}

#[cfg(test)]
mod tests {
    use shared::record::Offset;

    use super::*;

    #[test]
    fn only_what_lacks_nothing_is_said_to_have_every_record() {
        assert_eq!(done([].iter(), "the target"), "done: every record that was asked for is in the target\n");
        let of = |from, to| Missing { from: Offset(from), to: Offset(to), key: "k".into(), why: "gone".into() };
        let text = done([of(858, 936), of(1_000, 1_001)].iter(), "the target");
        let expected = "done, but for what is missing (ranges: 2, offsets: 79): every other record that was asked for is in the target\n";
        assert_eq!(text, expected);
    }
}
