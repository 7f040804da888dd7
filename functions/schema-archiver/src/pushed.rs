//! Pushing to the event gateway that a job began, and what it came to. The registry's name stands where others have a topic.

use shared::{
    job::State,
    metrics::push::{Body, Kind, Ratio, message_of},
    pushing::{FLUSH_TIMEOUT, Pusher},
};

use crate::{
    Context, NAME, SchemaError,
    report::{BackupReport, RestoreOutcome, RestoreReport},
};

/// Is told how many steps of a job are done, and how many there are.
pub(crate) type Tell<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Says how one job is.
pub(crate) struct Pushed<'a> {
    pusher: Pusher,
    registry: &'a str,
}

impl<'a> Pushed<'a> {
    /// Tells that it begins.
    pub(crate) fn start(context: &'a Context, kind: Kind) -> Self {
        let (clock, registry) = (context.clock.clone(), context.name.as_str());
        let run = format!("{NAME}-{}", clock.now().0);
        let pusher = Pusher::start(context.pushing.as_ref(), kind, registry, &run, clock);
        pusher.started(registry, Body { state: Some(State::STREAMING), ..Body::default() });
        Pushed { pusher, registry }
    }

    /// Tells how far it is. Nothing is whole before its end, so this stays below 1.
    pub(crate) fn progress(&self, done: usize, all: usize) {
        let progress = Ratio::of(done as f64 / (all + 1) as f64);
        self.pusher.progress(self.registry, Body { state: Some(State::STREAMING), progress, ..Body::default() });
    }

    /// Tells what a backup came to.
    pub(crate) async fn backed_up(self, report: &Result<BackupReport, SchemaError>) {
        self.end(report.as_ref().map_or_else(failed, |report| done(report.versions))).await;
    }

    /// Tells what a restore came to.
    pub(crate) async fn restored(self, report: &Result<RestoreReport, SchemaError>) {
        let body = match report {
            Ok(report) if report.outcome == RestoreOutcome::Refused => {
                let why: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
                Body { state: Some(State::REFUSED), message: Some(message_of(&why.join("; "))), ..Body::default() }
            }
            Ok(report) => done(report.registered + report.there),
            Err(error) => failed(error),
        };
        self.end(body).await;
    }

    async fn end(self, body: Body) {
        self.pusher.stopped(self.registry, body);
        self.pusher.flush(FLUSH_TIMEOUT).await;
    }
}

/// So many versions are done, and there are no others.
fn done(versions: usize) -> Body {
    let versions = u64::try_from(versions).ok();
    let progress = Ratio::of(1.0);
    Body { state: Some(State::DONE), progress, records_count: versions, records_total: versions, ..Body::default() }
}

fn failed(error: &SchemaError) -> Body {
    Body {
        state: Some(State::FAILED),
        errors_count: Some(1),
        message: Some(message_of(&error.to_string())),
        ..Body::default()
    }
}
