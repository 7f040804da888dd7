//! The time of day.

use crate::record::Millis;

/// Tells the time. The core takes time as an argument; only loops ask the clock.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now(&self) -> Millis;
}
