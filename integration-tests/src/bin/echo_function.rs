//! A function for the tests of the runtime itself: it does what its input says.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use shared::{adapters::lambda::runtime, function::HandlerError, record::Millis};

/// What to do.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Input {
    /// Answer it.
    Echo(String),
    /// Answer an error with this text, and one that caused it.
    Fail(String),
    /// Panic.
    Panic(String),
    /// Answer after so many milliseconds.
    SleepMs(u64),
}

#[derive(Serialize)]
struct Output {
    echo: String,
    deadline: Millis,
    context: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("asked to fail")]
struct EchoError(#[source] std::io::Error);

impl HandlerError for EchoError {
    fn retry(&self) -> bool {
        true
    }
}

async fn handle(input: Input, context: Arc<u32>, deadline: Millis) -> Result<Output, EchoError> {
    let echo = match input {
        Input::Echo(text) => text,
        Input::Fail(text) => return Err(EchoError(std::io::Error::other(text))),
        Input::Panic(text) => panic!("{text}"),
        Input::SleepMs(ms) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            "slept".to_owned()
        }
    };
    tracing::info!(echo, "echoed");
    Ok(Output { echo, deadline, context: *context })
}

/// The context is a number in the file that the environment names; 7 where it names none.
#[allow(clippy::disallowed_methods, reason = "this is a binary of the tests")]
async fn context() -> Result<u32, std::num::ParseIntError> {
    std::env::var("ECHO_CONTEXT").map_or(Ok(7), |file| std::fs::read_to_string(file).unwrap_or_default().parse())
}

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::run(context, handle).await
}
