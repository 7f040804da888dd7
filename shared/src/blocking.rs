//! Blocking work on a thread that may block, and what to do when a task ended without an answer.

use tokio::task::JoinError;

/// Runs `work` on a blocking thread and answers what it returned. A panic in it goes on in the caller.
///
/// # Panics
/// When `work` panics, or the runtime shuts down before it ran.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|failed| go_on_after(failed))
}

/// Goes on after a task that ended without an answer: a panic in it goes on here. A task that nobody aborts is cancelled
/// only when the runtime shuts down; then nobody waits for this one's answer either, so it ends as well.
///
/// # Panics
/// Always.
pub fn go_on_after(failed: JoinError) -> ! {
    match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => panic!("a task was cancelled, because the runtime shuts down: {cancelled}"),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
    }

    fn panic_after(failed: JoinError) -> String {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| go_on_after(failed)));
        text_of(&*panic)
    }

    #[tokio::test]
    async fn a_panic_in_a_task_goes_on_with_its_own_message() {
        let failed = tokio::spawn(async { panic!("the disk is full") }).await;
        assert_eq!(panic_after(failed.expect_err("it panicked")), "the disk is full");
    }

    #[tokio::test]
    async fn a_task_that_was_cancelled_is_told_as_such() {
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        let told = panic_after(task.await.expect_err("it was aborted"));
        assert!(told.contains("cancelled, because the runtime shuts down"), "{told}");
    }
}
