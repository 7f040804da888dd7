//! `[writer]`: what segment-writer has for all backups together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, units::ByteSize};

/// With less, every fetch would close segments early.
const MEMORY_BYTES_MIN: ByteSize = ByteSize::mib(1);

/// segment-writer, whatever it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WriterSettings {
    /// Memory for fetched records and unfinished segments, of all backups together. When unfinished segments take half of it the
    /// largest are closed early; when all of it is in use nothing is fetched. One larger record is stored all the same. The
    /// Kafka client's own memory (`kafka.fetch_ahead_bytes_max`) comes on top.
    pub memory_bytes_max: ByteSize,
}

impl Default for WriterSettings {
    fn default() -> Self {
        WriterSettings { memory_bytes_max: ByteSize::mib(96) }
    }
}

impl WriterSettings {
    /// Values that cannot be.
    pub(super) fn problems(&self) -> Option<Problem> {
        let memory = self.memory_bytes_max;
        let why = format!("must be {MEMORY_BYTES_MIN} or more");
        (memory < MEMORY_BYTES_MIN).then(|| Problem::bad("writer.memory_bytes_max", &memory.to_string(), &why))
    }
}
