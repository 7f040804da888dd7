//! Blocking work, on a thread that may block.

/// Runs `work` on a blocking thread and answers what it returned. A panic in it goes on in the caller.
///
/// # Panics
/// When `work` panics, or the runtime shuts down before it ran.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nothing aborts a blocking task but a runtime that shuts down, and then nobody waits for its answer.
            Err(cancelled) => panic!("blocking work was cancelled, because the runtime shuts down: {cancelled}"),
        },
    }
}
