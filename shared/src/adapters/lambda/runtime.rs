//! What a function's binary is made with.
//!
//! ```ignore
//! #[tokio::main]
//! async fn main() -> Result<(), runtime::Error> {
//!     runtime::run(context(), |input, context: Arc<Context>, deadline| async move {
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

use crate::{
    function::{self, FunctionError, HandlerError},
    record::Millis,
};

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
    E: HandlerError,
    F: Future<Output = Result<O, E>>,
{
    log();
    let context = Arc::new(init(context).await?);
    let handler = &handler;
    let invoke = service_fn(move |event: LambdaEvent<Value>| {
        let context = Arc::clone(&context);
        async move {
            let deadline = Millis(i64::try_from(event.context.deadline).unwrap_or(i64::MAX));
            function::answer(event.payload, |input| handler(input, context, deadline)).await.map_err(diagnostic)
        }
    });
    lambda_runtime::run(invoke).await
}

/// Starts logging: JSON on standard error, a line an event.
fn log() {
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
async fn init<C, E: StdError + Send + Sync + 'static>(context: impl Future<Output = Result<C, E>>) -> Result<C, Error> {
    match context.await {
        Ok(context) => Ok(context),
        Err(error) => {
            tell_init_error(FunctionError::of(&error, true)).await?;
            Err(error.into())
        }
    }
}

async fn tell_init_error(error: FunctionError) -> Result<(), Error> {
    tracing::error!(error_type = error.error_type, "{}", error.message);
    let request = Request::builder()
        .method(Method::POST)
        .uri(INIT_ERROR_PATH)
        .header("lambda-runtime-function-error-type", INIT_ERROR_TYPE)
        .body(Body::from(serde_json::to_vec(&diagnostic(error))?))?;
    Client::builder().build()?.call(request).await?;
    Ok(())
}

fn diagnostic(error: FunctionError) -> Diagnostic {
    Diagnostic { error_type: error.reported_type(), error_message: error.message }
}
