//! What a lane does when its work fails: it says so, waits, and looks at the storage again.

use std::time::Duration;

use shared::job::State;

use super::{Command, Lane, LaneSummary, Until};
use crate::{WriteError, context::Work, error::Remedy, opened::OpenChain};

impl Lane {
    /// Works until the end, whatever happens on the way. Answers what was done, and why that was not all.
    pub async fn run(mut self) -> (LaneSummary, Option<WriteError>) {
        let ended = self.attempts().await;
        (self.summary, ended.err())
    }

    async fn attempts(&mut self) -> Result<(), WriteError> {
        loop {
            let Err(error) = self.attempt().await else { return Ok(()) };
            self.size.set(0);
            self.say_trouble(&error);
            let _ = self.commands.send(Command::Stop { lane: self.id, partition: self.partition.clone() });
            if self.stop.is_cancelled() {
                return Err(error);
            }
            let Some(wait) = self.plan_retry(&error) else { return Err(error) };
            self.wait(wait, error.remedy() != Remedy::Reopen).await;
        }
    }

    /// Says that the work is interrupted, as far as there is anything to say.
    fn say_trouble(&mut self, error: &WriteError) {
        if error.remedy() == Remedy::Reopen {
            return;
        }
        let state = if error.retry() { State::backoff(self.attempt + 1) } else { error.failed_state() };
        if let Some(voice) = &mut self.voice {
            voice.set(state, self.attempt + 1, self.context.clock.now());
            voice.diverged(error.diverged_from());
            voice.say(&self.context);
        }
    }

    /// Counts what was sent before the chain was opened again, where it turns out to be stored.
    pub(super) async fn count_unanswered(&mut self, open: &OpenChain) -> Result<(), WriteError> {
        let Some(segment) = &self.unanswered else { return Ok(()) };
        let records = segment.records();
        if segment.is_stored(&*self.context.objects, open).await? {
            tracing::info!(partition = %self.partition, records, "a segment whose answer was lost is stored");
            self.summary.records += records;
            self.summary.segments += 1;
            self.context.worked(&open.chain.backup, &open.chain.topic, Work { records, busy_ms: 0 });
        }
        self.unanswered = None;
        Ok(())
    }

    /// How long to wait before the next attempt; `None`: there is none.
    fn plan_retry(&mut self, error: &WriteError) -> Option<Duration> {
        let (remedy, limits) = (error.remedy(), self.context.limits);
        if remedy == Remedy::Reopen {
            tracing::info!(partition = %self.partition, reason = %error, "looking at the storage again");
            return Some(limits.wait_after(remedy, 0));
        }
        self.attempt += 1;
        if self.until != Until::Stopped && (remedy == Remedy::Fail || self.attempt >= limits.attempts_max) {
            return None;
        }
        let wait = limits.wait_after(remedy, self.attempt);
        tracing::warn!(
            partition = %self.partition, attempt = self.attempt, wait_ms = wait.as_millis() as u64,
            error = error as &dyn std::error::Error, "{error}; trying again"
        );
        Some(match error {
            // Whoever accepts the loss waits for it to go on.
            WriteError::TailMissing { .. } => wait.min(limits.refresh),
            _ => wait,
        })
    }

    /// Waits; what was still fed is dropped, so that it holds no memory. In trouble that is said again at every refresh,
    /// since a state that nobody renews is taken for a dead owner's.
    async fn wait(&mut self, wait: Duration, in_trouble: bool) {
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        let mut refresh = tokio::time::interval(self.context.limits.refresh);
        refresh.tick().await; // the first is at once
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = &mut over => return,
                _ = refresh.tick(), if in_trouble => if let Some(voice) = &mut self.voice {
                    voice.say(&self.context);
                },
                feed = self.feed.recv() => if feed.is_none() { return },
            }
        }
    }
}
