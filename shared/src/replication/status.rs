//! How far an operation is: the durable truth, of which figures are a view.

use serde::{Deserialize, Serialize};

use super::operation::{OperationId, Subject};
use crate::record::Millis;

/// The version of the format.
pub const FORMAT_VERSION: u32 = 1;

/// What an operation is in, by Backbeat's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Asked for, and neither done nor failed.
    Pending,
    /// An attempt failed. Where `retry_at` says so it is tried again.
    Failed,
    /// The location holds this version, or a newer one.
    Completed,
}

/// Why an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// The location did not answer, or not in time.
    Unavailable,
    /// The location answered and refuses: no such bucket, wrong credentials.
    Refused,
    /// The location holds another object where this one belongs, which is never overwritten.
    Differs,
    /// The object could not be read where it comes from.
    Source,
    /// The object is not there any more, nor a newer version of it.
    SourceGone,
}

impl ReasonKind {
    /// As statuses and events spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReasonKind::Unavailable => "unavailable",
            ReasonKind::Refused => "refused",
            ReasonKind::Differs => "differs",
            ReasonKind::Source => "source",
            ReasonKind::SourceGone => "source_gone",
        }
    }
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of this format.
    pub format_version: u32,
    /// The operation's id.
    pub operation: OperationId,
    /// Which object, and where to.
    #[serde(flatten)]
    pub subject: Subject,
    /// The object's size.
    pub size_bytes: u64,
    /// What it is in.
    pub state: State,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Why the attempt failed, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The kind of that reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_kind: Option<ReasonKind>,
    /// When it was first asked for.
    pub queued_at: Millis,
    /// When this was written.
    pub changed_at: Millis,
    /// When a failed one is tried again; absent where it is not, until somebody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Millis>,
}

impl Status {
    /// An operation that is asked for the first time.
    #[must_use]
    pub fn queued(subject: Subject, size_bytes: u64, now: Millis) -> Self {
        Status {
            format_version: FORMAT_VERSION,
            operation: subject.id(),
            subject,
            size_bytes,
            state: State::Pending,
            attempt: 1,
            reason: None,
            reason_kind: None,
            queued_at: now,
            changed_at: now,
            retry_at: None,
        }
    }

    /// The next attempt at it.
    #[must_use]
    pub fn again(self, now: Millis) -> Self {
        let attempt = self.attempt.saturating_add(1);
        Status { attempt, ..self.changed(State::Pending, now) }
    }

    /// It is done.
    #[must_use]
    pub fn completed(self, now: Millis) -> Self {
        self.changed(State::Completed, now)
    }

    /// This attempt failed; `retry_at`: when the next one is made, if one is.
    #[must_use]
    pub fn failed(self, kind: ReasonKind, reason: String, retry_at: Option<Millis>, now: Millis) -> Self {
        let (reason, reason_kind) = (Some(reason), Some(kind));
        Status { reason, reason_kind, retry_at, ..self.changed(State::Failed, now) }
    }

    fn changed(self, state: State, now: Millis) -> Self {
        Status { state, reason: None, reason_kind: None, retry_at: None, changed_at: now, ..self }
    }

    /// What counts more is later: first by attempt, then pending, failed, completed.
    #[must_use]
    pub fn order(&self) -> (u32, State) {
        (self.attempt, self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let subject = Subject { location: "l".into(), bucket: "b".into(), key: "k".into(), version: "v".into() };
        Status::queued(subject, 7, Millis(1))
    }

    #[test]
    fn a_later_attempt_counts_more_than_any_end_of_an_earlier_one() {
        let failed = status().failed(ReasonKind::Unavailable, "no answer".into(), Some(Millis(9)), Millis(2));
        let again = failed.clone().again(Millis(9));
        let done = status().completed(Millis(3));
        assert!(status().order() < failed.order() && failed.order() < done.order() && done.order() < again.order());
        assert_eq!((again.attempt, again.reason, again.retry_at, again.queued_at), (2, None, None, Millis(1)));
    }

    #[test]
    fn a_status_is_this_text_and_cannot_move() {
        let failed = status().failed(ReasonKind::Unavailable, "no answer".into(), Some(Millis(9)), Millis(2));
        let text = format!(
            r#"{{"format_version":1,"operation":"{}","location":"l","bucket":"b","key":"k","version":"v","size_bytes":7,"state":"FAILED","attempt":1,"reason":"no answer","reason_kind":"unavailable","queued_at":1,"changed_at":2,"retry_at":9}}"#,
            failed.operation
        );
        assert_eq!(serde_json::to_string(&failed).unwrap(), text);
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), failed);
    }
}
