//! One function calling another.

use async_trait::async_trait;
use serde_json::Value;

use crate::function::FunctionError;

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
        /// Whether it says that the same call may succeed later.
        retry: bool,
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
    /// The error with which a function ended.
    #[must_use]
    pub fn of_function(function: &str, error: FunctionError) -> Self {
        let FunctionError { error_type, message, retry } = error;
        InvokeError::Function { function: function.to_owned(), error_type, message, retry }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            InvokeError::Function { retry, .. } => *retry,
            InvokeError::Unreachable { .. } => true,
            InvokeError::UnknownFunction(_) | InvokeError::Refused { .. } => false,
        }
    }

    /// Whether the function ran and will never take this payload: it is to blame, and nothing around it.
    #[must_use]
    pub fn blames_the_payload(&self) -> bool {
        matches!(self, InvokeError::Function { retry: false, .. })
    }
}
