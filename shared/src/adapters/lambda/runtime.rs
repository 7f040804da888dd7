//! What a function's binary is made with.
//!
//! ```ignore
//! #[tokio::main]
//! async fn main() -> Result<(), runtime::Error> {
//!     runtime::run(Context::from_environment(), |input, context, deadline| async move {
//!         handle(input, &context, deadline).await
//!     })
//!     .await
//! }
//! ```

use std::{error::Error as StdError, future::Future, sync::Arc};

use http::{Method, Request};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use lambda_runtime_api_client::{Client, body::Body};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use crate::record::Millis;

/// Ends the binary, when Lambda has been told why.
pub type Error = lambda_runtime::Error;

/// The level that the function is configured to log at.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
const LEVEL_DEFAULT: &str = "info";
const INIT_ERROR_PATH: &str = "/2018-06-01/runtime/init/error";
const INIT_ERROR_TYPE: &str = "Runtime.InitError";

/// Runs a function for as long as Lambda keeps it: logs as JSON, makes the context once, and gives each payload to the
/// handler, one at a time, with the deadline in milliseconds since 1970.
///
/// A failed invocation's `errorType` is the error's type name, its `errorMessage` the error and its sources.
///
/// # Errors
/// When the context could not be made, or the runtime's API fails.
pub async fn run<C, CE, I, O, E, F>(
    context: impl Future<Output = Result<C, CE>>,
    handler: impl Fn(I, Arc<C>, Millis) -> F,
) -> Result<(), Error>
where
    CE: StdError + Send + Sync + 'static,
    I: DeserializeOwned,
    O: Serialize,
    E: StdError,
    F: Future<Output = Result<O, E>>,
{
    log();
    let context = Arc::new(init(context).await?);
    let handler = &handler;
    let invoke = service_fn(move |event: LambdaEvent<Value>| {
        let context = Arc::clone(&context);
        async move {
            let deadline = Millis(i64::try_from(event.context.deadline).unwrap_or(i64::MAX));
            let input = serde_path_to_error::deserialize(event.payload);
            let input = input.map_err(|error| Failure::of(&InputError(error)))?;
            let output = handler(input, context, deadline).await.map_err(|error| Failure::of(&error))?;
            serde_json::to_value(output).map_err(|error| Failure::of(&error))
        }
    });
    lambda_runtime::run(invoke).await
}

/// Starts logging: JSON on standard error, a line an event.
pub fn log() {
    let filter = EnvFilter::try_from_env(LEVEL).unwrap_or_else(|_| EnvFilter::new(LEVEL_DEFAULT));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Makes the context that all invocations share; where that fails, Lambda is told.
///
/// # Errors
/// What `context` answers.
pub async fn init<C, E: StdError + Send + Sync + 'static>(
    context: impl Future<Output = Result<C, E>>,
) -> Result<C, Error> {
    match context.await {
        Ok(context) => Ok(context),
        Err(error) => {
            tell_init_error(&Failure::of(&error)).await?;
            Err(error.into())
        }
    }
}

async fn tell_init_error(failure: &Failure) -> Result<(), Error> {
    tracing::error!(error_type = failure.error_type, "{}", failure.message);
    let request = Request::builder()
        .method(Method::POST)
        .uri(INIT_ERROR_PATH)
        .header("lambda-runtime-function-error-type", INIT_ERROR_TYPE)
        .body(Body::from(serde_json::to_vec(&failure.diagnostic())?))?;
    Client::builder().build()?.call(request).await?;
    Ok(())
}

/// A payload that is not what the function takes.
#[derive(Debug, thiserror::Error)]
#[error("the input is not what this function takes: {0}")]
struct InputError(serde_path_to_error::Error<serde_json::Error>);

/// An error as Lambda reports it.
#[derive(Debug)]
struct Failure {
    error_type: &'static str,
    message: String,
}

impl Failure {
    fn of<E: StdError>(error: &E) -> Self {
        Failure { error_type: short_type_name::<E>(), message: with_sources(error) }
    }

    fn diagnostic(&self) -> Diagnostic {
        Diagnostic { error_type: self.error_type.to_owned(), error_message: self.message.clone() }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        failure.diagnostic()
    }
}

/// A type's name without its path and its parameters: `WriteError`.
fn short_type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// The error and what caused it, a text that repeats the one before it left out.
fn with_sources(error: &dyn StdError) -> String {
    let mut message = error.to_string();
    let mut last = message.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if text != last {
            message = format!("{message}: {text}");
        }
        last = text;
        cause = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum OuterError {
        #[error("the outer thing failed")]
        Outer(#[source] std::io::Error),
        #[error(transparent)]
        Through(#[from] std::num::ParseIntError),
    }

    #[test]
    fn a_failure_has_the_errors_type_and_the_text_of_each_cause_once() {
        let failure = Failure::of(&OuterError::Outer(std::io::Error::other("no disk")));
        assert_eq!((failure.error_type, failure.message.as_str()), ("OuterError", "the outer thing failed: no disk"));
        let failure = Failure::of(&OuterError::from("x".parse::<i32>().unwrap_err()));
        assert_eq!(failure.message, "invalid digit found in string");
    }

    #[test]
    fn an_input_that_does_not_fit_is_told_with_its_place() {
        let read = serde_path_to_error::deserialize::<_, Vec<Vec<i32>>>(serde_json::json!([[1], [2, "x"]]));
        let failure = Failure::of(&InputError(read.unwrap_err()));
        assert_eq!(failure.error_type, "InputError");
        assert!(failure.message.contains("function takes: [1][1]: invalid type: string \"x\""), "{}", failure.message);
    }

    #[test]
    fn a_type_name_has_no_path_and_no_parameters() {
        assert_eq!(short_type_name::<OuterError>(), "OuterError");
        assert_eq!(short_type_name::<serde_path_to_error::Error<serde_json::Error>>(), "Error");
    }
}
