//! Armed crash points: places where the process kills itself when a test asked for it.
//!
//! `HIGHWATER_TEST_CRASH_POINT=after-put:3` aborts at the third passing of the point `after-put`. The packaged binary has none.
//!
//! | point | the process dies |
//! |---|---|
//! | `before-put` | with a finished segment in memory that nobody has seen |
//! | `after-put` | with a durable segment that nobody was told of |
//! | `before-replication` | with a durable segment that no location was asked for |
//! | `before-entry` | with an operation that is pending and counted, and not on the replication topic |
//! | `after-copy` | with an object at its location, and its status still pending |
//! | `after-status` | with an operation whose end is stored, and nobody told |
//! | `before-commit` | with a durable segment whose standing is acknowledged, and its offset not committed |
//! | `before-floor` | with a chain looked through, and its floor where it was |
//! | `after-floor` | with a floor moved, and all that expired still there |
//! | `before-apply` | between a message of the metrics topic and its figures |
//! | `after-store` | with figures in the store, and metrics-consumer not told of it |
//! | `after-apply` | with figures in the store, and their offset not committed |
//! | `restore-created` | with a target created, and nothing known of its restore |
//! | `restore-taken-over` | with all producers of a restore taken over, and nothing written by them |
//! | `restore-acknowledged` | with records acknowledged, and neither progress written nor anything committed |
//! | `restore-before-commit` | with progress written too, and nothing committed |
//! | `restore-after-commit` | with a transaction committed that this process has not taken note of |
#![allow(clippy::disallowed_methods, reason = "the arming is for tests, outside every configuration")]

/// Aborts here if this point is armed and was passed often enough.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    static ARMED: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let text = std::env::var("HIGHWATER_TEST_CRASH_POINT").ok()?;
        let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), AtomicU64::new(times.parse().ok()?)))
    });
    if let Some((armed, left)) = &*ARMED
        && armed == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        eprintln!("crash point {name}: aborting");
        std::process::abort();
    }
}

/// Nothing: crash points are for tests.
#[cfg(not(debug_assertions))]
pub fn point(_: &str) {}
