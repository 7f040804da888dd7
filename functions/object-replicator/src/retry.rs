//! What failed is asked for again when its time has come.

use std::time::Duration;

use shared::{archive, record::Millis, replication::OperationId};

use crate::{Context, Limits, Location, ReplicateError, error::CopyError};

/// When an operation is tried again whose attempt of this number failed; `None`: not by itself.
pub(crate) fn at(
    limits: &Limits,
    error: &CopyError,
    (operation, attempt): (&OperationId, u32),
    now: Millis,
) -> Option<Millis> {
    if !error.retry() || attempt >= limits.attempts_max {
        return None;
    }
    let longest = wait(limits, attempt);
    // Half of it is decided by the id, so that what failed together is not tried again together.
    let wait = longest / 2 + (longest / 2).mul_f64(operation.fraction());
    Some(Millis(now.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))))
}

/// The longest wait after so many attempts: it doubles up to the limit.
pub(crate) fn wait(limits: &Limits, attempts: u32) -> Duration {
    limits.backoff_min.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(limits.backoff_max)
}

/// Asks again for everything that is due; answers how much that was.
pub(crate) async fn sweep(context: &Context, location: &Location) -> Result<usize, ReplicateError> {
    let (mut after, mut asked) = (String::new(), 0);
    loop {
        let (page, next) = archive::failed_operations(&*context.objects, &location.name, &after).await?;
        for failed in page {
            // They are listed by their times, and those that nobody tries again come last.
            if failed.retry_at.is_none_or(|at| at > context.clock.now()) {
                return Ok(asked);
            }
            asked += usize::from(context.queue().retry(&location.name, &failed).await?.is_some());
        }
        match next {
            Some(next) => after = next,
            None => return Ok(asked),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::{ports::objects::ObjectsError, replication::Subject};

    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_end_after_so_many_attempts() {
        let limits = Limits::default();
        let subject = Subject { location: "l".into(), bucket: "b".into(), key: "k".into(), version: "v".into() };
        let id = subject.id();
        let error = CopyError::Location(ObjectsError::Conflict { key: "k".into() }.into());
        for (attempt, seconds) in [(1, 5), (2, 10), (4, 40), (8, 640), (9, 900), (19, 900)] {
            let at = at(&limits, &error, (&id, attempt), Millis(0)).unwrap();
            assert!((seconds * 500..=seconds * 1_000).contains(&at.0), "{attempt}: {at}");
        }
        assert_eq!(at(&limits, &error, (&id, 20), Millis(0)), None);
        assert_eq!(at(&limits, &CopyError::SourceGone("k".into()), (&id, 1), Millis(0)), None);
    }
}
