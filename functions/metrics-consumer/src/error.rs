//! Why messages could not be counted.

use shared::{
    function::HandlerError,
    ports::{invoker::InvokeError, records::RecordsError},
    record::{Offset, TopicPartition, kafka_event::KafkaEventError},
    runs::FailureKind,
};

/// Why messages could not be counted. Nothing is lost by any of them: the same call again counts what is missing.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// Kafka failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// metrics-aggregator could not be asked, or failed.
    #[error(transparent)]
    Invoke(#[from] InvokeError),
    /// metrics-aggregator answered something else.
    #[error("metrics-aggregator answered {answer}, which is no outcome of a part: is it of another version?")]
    Answer {
        /// What it answered, cut short.
        answer: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The function was called with an event that is none of Kafka's.
    #[error(transparent)]
    Event(#[from] KafkaEventError),
    /// The function was called with something that asks nothing of it.
    #[error("a payload is {{}} for a drain, or a kafka event with its eventSource, and not {0}")]
    NotAnInput(String),
    /// There is no metrics topic.
    #[error(
        "there is no topic {0:?}: start highwater again, which makes it, or create it, or set metrics.topic to the one that \
         backbeat writes to"
    )]
    NoTopic(String),
    /// An event brought another topic.
    #[error(
        "an event brought topic {found:?}, but figures are on {expected:?}: correct the event source mapping, or metrics.topic"
    )]
    OtherTopic {
        /// What it brought.
        found: String,
        /// The metrics topic.
        expected: String,
    },
    /// The metrics topic was deleted and created again meanwhile.
    #[error("topic {0:?} was deleted and created again: starting over with the new one")]
    TopicChanged(String),
    /// The store counted further than the log goes.
    #[error(
        "{partition}: the store counted to {position}, but the log ends at {log_end}: kafka lost messages that were counted; \
         counting goes on when the log has passed that offset"
    )]
    AheadOfLog {
        /// Which partition.
        partition: TopicPartition,
        /// Where the store stands.
        position: Offset,
        /// Where the log ends.
        log_end: Offset,
    },
    /// Time was up.
    #[error("{partition}: time was up at {position}; the next call goes on there")]
    OutOfTime {
        /// Which partition.
        partition: TopicPartition,
        /// Where the reading stood.
        position: Offset,
    },
    /// Kafka said nothing for too long.
    #[error("{partition}: kafka sent nothing for {silence_s} s; {position} is where the reading stands")]
    Silence {
        /// Which partition.
        partition: TopicPartition,
        /// For how long.
        silence_s: u64,
        /// Where the reading stands.
        position: Offset,
    },
}

impl CountError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            CountError::Records(error) => error.retry(),
            CountError::Invoke(error) => error.retry(),
            CountError::Answer { .. }
            | CountError::Event(_)
            | CountError::NotAnInput(_)
            | CountError::OtherTopic { .. } => false,
            CountError::NoTopic(_)
            | CountError::TopicChanged(_)
            | CountError::AheadOfLog { .. }
            | CountError::OutOfTime { .. }
            | CountError::Silence { .. } => true,
        }
    }
}

impl CountError {
    /// What is to blame.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            CountError::Invoke(_) => FailureKind::Store,
            CountError::Answer { .. }
            | CountError::Event(_)
            | CountError::NotAnInput(_)
            | CountError::NoTopic(_)
            | CountError::OtherTopic { .. } => FailureKind::Settings,
            CountError::Records(_)
            | CountError::TopicChanged(_)
            | CountError::AheadOfLog { .. }
            | CountError::OutOfTime { .. }
            | CountError::Silence { .. } => FailureKind::Kafka,
        }
    }

    /// Whether metrics-aggregator will never take what it was sent, however often and whatever is mended around it. Where it does
    /// not know the form, it is of another version, as while functions are updated: no message is to blame for that.
    #[must_use]
    pub fn blames_the_part(&self) -> bool {
        let CountError::Invoke(error) = self else { return false };
        let unknown_form = matches!(error, InvokeError::Function { error_type, .. } if error_type == "InputError");
        error.blames_the_payload() && !unknown_form
    }
}

impl HandlerError for CountError {
    fn retry(&self) -> bool {
        CountError::retry(self)
    }
}
