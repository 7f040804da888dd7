//! What answers are made of.

use serde::Serialize;
use shared::{archive::ArchiveError, metrics::backbeat::error::ErrorAnswer};

pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers by name are valid JSON")
}

pub(crate) fn storage_failed(error: ArchiveError) -> ErrorAnswer {
    tracing::warn!(error = &error as &dyn std::error::Error, "a request is answered with 503");
    ErrorAnswer::unavailable(format!("the storage cannot be asked: {error}"))
}
