//! Where the storage keeps what is known of replication. All of it lies in one folder that is part of no backup:
//!
//! ```text
//! =replication/<location>/status/<operation>.json               how far an operation is
//! =replication/<location>/failed/<retry at>-<operation>         that it failed, by when it is tried again
//! =replication/<location>/uploads/<operation>.json              how far the copy of a large object is
//! =replication/<location>/compared.json                         when the storage was last compared with it
//! =replication/<location>/pause.json                            that nothing is copied there now
//! ```
//! An object in `failed/` is a hint: it is written before the status and deleted after the next attempt began, so each
//! failed operation has one, and one without a failed operation is passed over.

use super::operation::OperationId;
use crate::record::Millis;

/// The folder of all of it.
pub const FOLDER: &str = "=replication/";
/// Stands for "never" among times; it sorts behind all of them.
const NEVER: i64 = 999_999_999_999_999;
const TIME_DIGITS: usize = 15;

/// The status of an operation.
#[must_use]
pub fn status(location: &str, id: &OperationId) -> String {
    format!("{}{id}.json", status_folder(location))
}

/// The folder of all statuses of a location.
#[must_use]
pub fn status_folder(location: &str) -> String {
    format!("{FOLDER}{location}/status/")
}

/// The folder of the failed operations of a location.
#[must_use]
pub fn failed_folder(location: &str) -> String {
    format!("{FOLDER}{location}/failed/")
}

/// The hint that an operation failed.
#[must_use]
pub fn failed(location: &str, id: &OperationId, retry_at: Option<Millis>) -> String {
    let at = retry_at.map_or(NEVER, |at| at.0.clamp(0, NEVER - 1));
    format!("{}{at:0TIME_DIGITS$}-{id}", failed_folder(location))
}

/// What such a key says: when it is tried again, and which operation.
#[must_use]
pub fn parse_failed(location: &str, key: &str) -> Option<(Option<Millis>, OperationId)> {
    let (at, id) = key.strip_prefix(&failed_folder(location))?.split_once('-')?;
    let at: i64 = (at.len() == TIME_DIGITS && at.bytes().all(|b| b.is_ascii_digit())).then(|| at.parse().ok())??;
    Some(((at != NEVER).then_some(Millis(at)), id.to_owned().try_into().ok()?))
}

/// How far the copy of an operation's large object is.
#[must_use]
pub fn upload(location: &str, id: &OperationId) -> String {
    format!("{FOLDER}{location}/uploads/{id}.json")
}

/// When the storage was last compared with a location.
#[must_use]
pub fn compared(location: &str) -> String {
    format!("{FOLDER}{location}/compared.json")
}

/// That nothing is copied to a location.
#[must_use]
pub fn pause(location: &str) -> String {
    format!("{FOLDER}{location}/pause.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::Subject;

    fn id() -> OperationId {
        Subject { location: "l".into(), bucket: "b".into(), key: "k".into(), version: "v".into() }.id()
    }

    #[test]
    fn failed_operations_sort_by_when_they_are_tried_again_and_the_given_up_ones_come_last() {
        let [soon, later, never] =
            [Some(Millis(9)), Some(Millis(1_700_000_000_000)), None].map(|at| failed("l", &id(), at));
        assert!(soon < later && later < never);
        for (key, at) in [(soon, Some(Millis(9))), (later, Some(Millis(1_700_000_000_000))), (never, None)] {
            assert_eq!(parse_failed("l", &key), Some((at, id())));
        }
        for key in ["=replication/l/failed/9-x", "=replication/m/failed/", "=replication/l/failed/000000000000009-zz"] {
            assert_eq!(parse_failed("l", key), None);
        }
    }
}
