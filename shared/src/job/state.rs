//! The state of a backup job, as one number: what `backup_state` shows.
//!
//! | number | word | meaning |
//! |---|---|---|
//! | 0 | Created | known, not running yet; also a state nobody renewed in time |
//! | 1xx | Running | 100 streaming, 101 catching up; of a restore: 100 restoring, 102 preparing |
//! | 2xx | Paused | 200 by its owner |
//! | 3xx | Backoff | 300 + attempt, at most 399 |
//! | 8xx | Done | 800, what a finished one-shot backup shows |
//! | 9xx | Failed | waits for a person: 901 the tail of the backup is missing, 902 the log is not the one that was backed up, 903 a restore that was refused before it wrote anything, 900 anything else |

use std::fmt;

use serde::{Deserialize, Serialize};

/// A job's state. Holds no number outside of the table; which numbers of a class have a meaning of their own may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct State(u16);

impl State {
    /// Known, not running yet.
    pub const CREATED: State = State(0);
    /// Running at the end of the log.
    pub const STREAMING: State = State(100);
    /// Running towards the end of the log.
    pub const CATCHING_UP: State = State(101);
    /// A restore that makes its target ready.
    pub const INITIALIZING: State = State(102);
    /// Halted by its owner.
    pub const PAUSED: State = State(200);
    /// Finished.
    pub const DONE: State = State(800);
    /// Halted by something that does not pass by itself.
    pub const FAILED: State = State(900);
    /// Halted because the tail of the backup is missing from the storage, until that is accepted.
    pub const TAIL_MISSING: State = State(901);
    /// Halted because Kafka's log does not hold any more what the backup ends with.
    pub const LOG_DIVERGED: State = State(902);
    /// A restore that something stands in the way of: nothing is written.
    pub const REFUSED: State = State(903);

    /// Waiting before attempt number `attempt`; all above 99 show as 99.
    #[must_use]
    pub fn backoff(attempt: u32) -> State {
        State(300 + u16::try_from(attempt.min(99)).unwrap_or(99))
    }

    /// The number, as `backup_state` shows it.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }

    /// The class, as `jobs_state` counts it.
    #[must_use]
    pub fn word(self) -> Word {
        match self.0 {
            100..=199 => Word::Running,
            200..=299 => Word::Paused,
            300..=399 => Word::Backoff,
            800..=899 => Word::Done,
            900..=999 => Word::Failed,
            _ => Word::Created,
        }
    }

    /// One state for several: the worst by [`Word`], and the highest number among equals (of two partitions that are in
    /// backoff, the one with more attempts).
    #[must_use]
    pub fn worst(self, other: State) -> State {
        std::cmp::max_by_key(self, other, |state| (state.word(), state.code()))
    }
}

impl From<State> for u16 {
    fn from(state: State) -> u16 {
        state.0
    }
}

impl TryFrom<u16> for State {
    type Error = UnknownState;

    fn try_from(code: u16) -> Result<Self, UnknownState> {
        match code {
            0 | 100..=399 | 800..=999 => Ok(State(code)),
            _ => Err(UnknownState(code)),
        }
    }
}

/// A number that is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no job state has the number {0}: 0, 1xx, 2xx, 3xx, 8xx and 9xx exist")]
pub struct UnknownState(pub u16);

/// The classes of states, in the order in which one partition's decides for its topic: what any partition suffers, the
/// topic suffers. Done comes before Running, because a topic is not done while a partition of it runs. Created is the
/// least: a partition that nobody works on says nothing about the others (`highwater_job_stale` says that it is so).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// 0.
    Created,
    /// 8xx.
    Done,
    /// 1xx.
    Running,
    /// 2xx.
    Paused,
    /// 3xx.
    Backoff,
    /// 9xx.
    Failed,
}

impl Word {
    /// All of them, in the order in which `jobs_state` lists them.
    pub const ALL: [Word; 6] = [Word::Created, Word::Done, Word::Running, Word::Paused, Word::Failed, Word::Backoff];
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_a_state_of_its_class_or_none() {
        for code in 0..=u16::MAX {
            let word = State::try_from(code).map(State::word);
            let expected = match code {
                0 => Ok(Word::Created),
                100..=199 => Ok(Word::Running),
                200..=299 => Ok(Word::Paused),
                300..=399 => Ok(Word::Backoff),
                800..=899 => Ok(Word::Done),
                900..=999 => Ok(Word::Failed),
                _ => Err(UnknownState(code)),
            };
            assert_eq!(word, expected, "{code}");
        }
    }

    #[test]
    fn backoff_counts_attempts_and_stops_at_399() {
        assert_eq!(State::backoff(0).code(), 300);
        assert_eq!(State::backoff(7).code(), 307);
        assert_eq!(State::backoff(100).code(), 399);
        assert_eq!(State::backoff(u32::MAX).code(), 399);
    }

    #[test]
    fn a_state_is_its_number_in_json_and_other_numbers_are_refused() {
        assert_eq!(serde_json::to_string(&State::STREAMING).unwrap(), "100");
        assert_eq!(serde_json::from_str::<State>("302").unwrap(), State::backoff(2));
        for wrong in ["1", "99", "400", "799", "1000", "-1", "100.0", "\"100\"", "null"] {
            assert!(serde_json::from_str::<State>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_failed_partition_makes_a_topic_failed_and_one_running_keeps_it_from_being_done() {
        let worst = |states: &[State]| states.iter().copied().fold(State::CREATED, State::worst);
        assert_eq!(worst(&[State::STREAMING, State::FAILED, State::backoff(3)]), State::FAILED);
        assert_eq!(worst(&[State::backoff(3), State::backoff(12), State::STREAMING]), State::backoff(12));
        assert_eq!(worst(&[State::DONE, State::STREAMING, State::CATCHING_UP]), State::CATCHING_UP);
        assert_eq!(worst(&[State::DONE, State::CREATED]), State::DONE);
        assert_eq!(worst(&[]), State::CREATED);
    }

    #[test]
    fn the_words_are_kannikas() {
        assert_eq!(Word::ALL.map(|w| w.to_string()), ["Created", "Done", "Running", "Paused", "Failed", "Backoff"]);
    }
}
