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

/// lag-monitor: which backups to look at.
pub(super) async fn lag_monitor(payload: Value, context: &lag_monitor::Context) -> Answer {
    match lag_monitor::handle(read(payload)?, context).await {
        Ok(report) => write(&report),
        Err(error) => Err(failed("MonitorError", &error)),
    }
}

/// metrics-consumer: counts everything that the metrics topic holds now, whatever the payload.
pub(super) async fn metrics_consumer(context: &metrics_consumer::Context) -> Answer {
    match metrics_consumer::handle(metrics_consumer::Input::Drain, context).await {
        Ok(report) => write(&report),
        Err(error) => Err(failed("CountError", &error)),
    }
}

/// metrics-aggregator: a part to apply.
pub(super) async fn metrics_aggregator(payload: Value, context: &metrics_aggregator::Context) -> Answer {
    match metrics_aggregator::handle(read(payload)?, context).await {
        Ok(outcome) => write(&outcome),
        Err(error) => Err(failed("AggregateError", &error)),
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
