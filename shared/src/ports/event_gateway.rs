//! The event gateway, as jobs see it.

use async_trait::async_trait;

use crate::metrics::push::Push;

/// Takes what jobs push.
#[async_trait]
pub trait EventGateway: Send + Sync {
    /// Hands a push over. The same one again changes nothing.
    async fn push(&self, push: &Push) -> Result<(), PushError>;
}

/// Why a push was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The gateway does not answer, or cannot take it now; the same push may succeed later.
    #[error("the event gateway at {url} does not answer: {reason}")]
    Unavailable {
        /// Where it is.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The gateway refuses it; the same push will be refused again.
    #[error("the event gateway at {url} refuses a push with {status}: {answer}")]
    Refused {
        /// Where it is.
        url: String,
        /// The status.
        status: u16,
        /// What it says, cut short.
        answer: String,
    },
}

impl PushError {
    /// Whether the same push may be taken later.
    #[must_use]
    pub fn retry(&self) -> bool {
        matches!(self, PushError::Unavailable { .. })
    }
}
