//! Payloads of the table to a function's own types, and its answers back.

use std::{error::Error, sync::Arc};

use segment_writer::{Input, Output};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::functions::{Answer, FunctionError};
use crate::output;

/// segment-writer: what to drain.
pub(super) async fn segment_writer(payload: Value, context: &Arc<segment_writer::Context>) -> Answer {
    match segment_writer::handle(Input::Drain(read(payload)?), context).await {
        Ok(Output::Drain(report)) => write(&report),
        Ok(Output::Event(report)) => write(&report),
        Err(error) => Err(failed("WriteError", &error)),
    }
}

fn read<T: DeserializeOwned>(payload: Value) -> Result<T, FunctionError> {
    serde_json::from_value(payload).map_err(|error| failed("InvalidPayload", &error))
}

fn write(answer: &impl Serialize) -> Answer {
    serde_json::to_value(answer).map_err(|error| failed("InvalidAnswer", &error))
}

fn failed(error_type: &str, error: &dyn Error) -> FunctionError {
    FunctionError { error_type: error_type.to_owned(), message: output::chain(error) }
}
