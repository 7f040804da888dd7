//! One function calling another.

use async_trait::async_trait;
use serde_json::Value;

/// Invokes a function by its name and waits for its answer.
#[async_trait]
pub trait Invoker: Send + Sync {
    /// Calls `function` with `payload` synchronously.
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError>;
}

/// Why an invocation gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// No function of that name is deployed or hosted.
    #[error("no function named {0:?}: check the name against `highwater serve --help`")]
    UnknownFunction(String),
    /// The function ran and answered an error.
    #[error("function {function} failed with {error_type}: {message}")]
    Function {
        /// Which function.
        function: String,
        /// Its error's type name, as Lambda's `errorType`.
        error_type: String,
        /// Its error's text, as Lambda's `errorMessage`.
        message: String,
    },
    /// The call is refused: not allowed, too large, or what answers is no function. Trying again does not help.
    #[error("function {function} cannot be invoked: {message}")]
    Refused {
        /// Which function.
        function: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The function could not be reached; the same call may succeed later.
    #[error("function {function} cannot be reached")]
    Unreachable {
        /// Which function.
        function: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl InvokeError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        !matches!(self, InvokeError::UnknownFunction(_) | InvokeError::Refused { .. })
    }
}
