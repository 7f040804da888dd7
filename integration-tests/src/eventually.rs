//! Waiting for a condition, never for a time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Asks until there is an answer, at most for `deadline`, and gives it; else panics with the last refusal.
///
/// ```ignore
/// let lag = eventually("the lag to be 0", Duration::from_secs(10), || async { metrics().await.lag_is_zero() }).await;
/// ```
pub async fn eventually<T, F>(what: &str, deadline: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let since = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(refusal) if since.elapsed() >= deadline => panic!("waited {deadline:?} for {what}; at last: {refusal}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
}
