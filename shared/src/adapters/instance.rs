//! The name of this process.

use crate::{ports::clock::Clock, record::Millis};

/// A name that no other run has: the machine's, the process's number and the time.
#[must_use]
pub fn name(clock: &dyn Clock) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = match machine.trim() {
        "" => "local",
        name => name,
    };
    let Millis(now) = clock.now();
    format!("{machine}-{}-{now}", std::process::id())
}
