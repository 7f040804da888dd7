//! What a function's binary is made with.
//!
//! ```ignore
//! #[tokio::main]
//! async fn main() -> Result<(), runtime::Error> {
//!     runtime::run(context, |input, context: Arc<Context>, deadline| async move {
//!         handle(input, &context, deadline).await
//!     })
//!     .await
//! }
//! ```

use std::{error::Error as StdError, future::Future, sync::Arc, time::Duration};

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{sync::Mutex, time::Instant};
use tracing_subscriber::EnvFilter;

use crate::{
    adapters::system_clock::SystemClock,
    function::{self, FunctionError, HandlerError},
    ports::clock::Clock as _,
    record::Millis,
};

/// Ends the binary, when Lambda has been told why.
pub type Error = lambda_runtime::Error;

/// The level that the function is configured to log at.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
const LEVEL_DEFAULT: &str = "info";
/// Where a context cannot be made anew, that is tried again after so long.
const RENEW_AGAIN: Duration = Duration::from_secs(60);
/// A context is used for so long.
const CONTEXT_AGE_MAX: Duration = Duration::from_secs(3_600);

/// A function runs for 15 minutes at most.
const LAMBDA_TIMEOUT_MAX_MS: u64 = 900_000;

/// Runs a function for as long as Lambda keeps it: logs as JSON, and gives each payload to the handler, one at a time, with
/// the deadline in milliseconds since 1970.
///
/// The context is made when the first payload is there: so an environment is ready within milliseconds, asks no server for an
/// invocation that never comes, and tries again where a server was away. It is made anew after a failed invocation,
/// after a request that was answered with 5xx where it is a minute old, and every hour: secrets that were rotated are read again then. A failed invocation's `errorType` is
/// the error's type name, its `errorMessage` the error and its sources.
///
/// # Errors
/// When the runtime's API fails.
pub async fn run<C, CE, CF, I, O, E, F>(
    context: impl Fn() -> CF,
    handler: impl Fn(I, Arc<C>, Millis) -> F,
) -> Result<(), Error>
where
    CE: StdError,
    CF: Future<Output = Result<C, CE>>,
    I: DeserializeOwned,
    O: Serialize,
    E: HandlerError,
    F: Future<Output = Result<O, E>>,
{
    log();
    let contexts = Contexts { make: context, made: Mutex::default() };
    let (contexts, handler) = (&contexts, &handler);
    let invoke = service_fn(move |event: LambdaEvent<Value>| async move {
        let context = contexts.get().await.map_err(diagnostic)?;
        let deadline = deadline(event.context.deadline, SystemClock.now());
        let answer = function::answer(event.payload, |input| handler(input, context, deadline)).await;
        match &answer {
            Err(_) => contexts.forget(Duration::ZERO).await,
            Ok(answer) if is_server_error(answer) => contexts.forget(RENEW_AGAIN).await,
            Ok(_) => {}
        }
        answer.map_err(diagnostic)
    });
    lambda_runtime::run(invoke).await
}

/// When an invocation must have been answered, from what the Runtime API says. Lambda says when, in milliseconds since 1970.
/// cargo-lambda's emulation says how long from now: its 600,000 would be a time that is over for ever.
fn deadline(told_ms: u64, now: Millis) -> Millis {
    let told = Millis(i64::try_from(told_ms).unwrap_or(i64::MAX));
    if told_ms <= LAMBDA_TIMEOUT_MAX_MS { Millis(now.0 + told.0) } else { told }
}

/// The context that invocations share.
struct Contexts<C, M> {
    make: M,
    made: Mutex<Option<(Arc<C>, Instant)>>,
}

impl<C, M> Contexts<C, M> {
    /// The one that is there, or a new one.
    #[allow(clippy::disallowed_methods, reason = "this adapter measures how old a context is")]
    async fn get<E: StdError, F: Future<Output = Result<C, E>>>(&self) -> Result<Arc<C>, FunctionError>
    where
        M: Fn() -> F,
    {
        let mut made = self.made.lock().await;
        if let Some((context, at)) = made.as_ref()
            && at.elapsed() < CONTEXT_AGE_MAX
        {
            return Ok(Arc::clone(context));
        }
        let context = match ((self.make)().await, made.take()) {
            (Ok(context), _) => Arc::new(context),
            // It has answered so far; what is wrong with it shows in the answer.
            (Err(error), Some((context, _))) => {
                let error = FunctionError::of(&error, true);
                tracing::warn!(error_type = error.error_type, "the hourly context is not made anew: {}", error.message);
                let due = Instant::now().checked_sub(CONTEXT_AGE_MAX.saturating_sub(RENEW_AGAIN));
                *made = Some((Arc::clone(&context), due.unwrap_or_else(Instant::now)));
                return Ok(context);
            }
            (Err(error), None) => {
                let error = FunctionError::of(&error, true);
                tracing::error!(error_type = error.error_type, "{}", error.message);
                return Err(error);
            }
        };
        *made = Some((Arc::clone(&context), Instant::now()));
        Ok(context)
    }

    /// The next invocation gets another, if this one is so old.
    #[allow(clippy::disallowed_methods, reason = "this adapter measures how old a context is")]
    async fn forget(&self, age: Duration) {
        let mut made = self.made.lock().await;
        if made.as_ref().is_some_and(|(_, at)| at.elapsed() >= age) {
            *made = None;
        }
    }
}

/// Whether a function behind an URL answers that something is wrong on its side.
fn is_server_error(answer: &Value) -> bool {
    answer["statusCode"].as_u64().is_some_and(|status| status >= 500)
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

fn diagnostic(error: FunctionError) -> Diagnostic {
    Diagnostic { error_type: error.reported_type(), error_message: error.message }
}
