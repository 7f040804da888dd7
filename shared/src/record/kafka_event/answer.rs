//! The answer that sends a part of an event's records again (`ReportBatchItemFailures`).

use serde::Serialize;

use crate::record::Offset;

/// From where each partition of an event must come again; nothing: all of it was taken.
///
/// ```text
/// {"batchItemFailures": [{"itemIdentifier": {"partition": "<key of the event's map>", "offset": n}}, ...]}
/// ```
/// Lambda sends the whole event again when a name is not one of the event's own, so names come from its batches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PartialAnswer {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Failure {
    #[serde(rename = "itemIdentifier")]
    identifier: Identifier,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Identifier {
    partition: String,
    offset: Offset,
}

impl FromIterator<(String, Offset)> for PartialAnswer {
    /// From the keys of the event's map ([`super::Batch::item`]), each with the first offset that must come again. Of
    /// several for one key the least counts.
    fn from_iter<T: IntoIterator<Item = (String, Offset)>>(failures: T) -> Self {
        let mut answer = PartialAnswer::default();
        for (partition, offset) in failures {
            match answer.failures.iter_mut().find(|failure| failure.identifier.partition == partition) {
                Some(failure) => failure.identifier.offset = failure.identifier.offset.min(offset),
                None => answer.failures.push(Failure { identifier: Identifier { partition, offset } }),
            }
        }
        answer
    }
}
