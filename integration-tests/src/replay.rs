//! What a run is told of rounds and seeds: few rounds and a new seed, unless it is said otherwise.

use shared::{adapters::system_clock::SystemClock, ports::clock::Clock as _};

/// How many rounds of a test that may go on for long: `HIGHWATER_TEST_ROUNDS`, or so few.
pub fn rounds(few: u64) -> u64 {
    number("HIGHWATER_TEST_ROUNDS").unwrap_or(few)
}

/// The seed: `HIGHWATER_TEST_SEED`, or one that no other run has.
pub fn seed() -> u64 {
    number("HIGHWATER_TEST_SEED").unwrap_or_else(|| SystemClock.now().0.unsigned_abs())
}

/// The number in a variable of the environment, if it is set.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}
