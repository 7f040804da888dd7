//! What goes on the metrics topic: Backbeat's messages, with a few fields more that the original ignores.
//!
//! ```text
//! {"timestamp":..,"ops":1,"bytes":195,"extension":"crr","type":"queued","site":"us-east-1",
//!  "operationId":"..","attempt":1,"queuedAt":..}
//! {"timestamp":..,"bytes":195,"extension":"crr","type":"queued","site":"us-east-1",
//!  "bucketName":"b","objectKey":"k","versionId":"v","operationId":"..","attempt":1,"queuedAt":..}
//! {.. "type":"completed" .. "part":1}
//! {.. "type":"failed" .. "reason":"unavailable"}
//! ```
//! The operation's id is also the message's Kafka key, so all messages of an operation lie in one partition, in their order.
//! Times are the status's, so that an event that is sent again is the same.

use bytes::Bytes;
use serde::Serialize;

use super::status::{ReasonKind, State, Status};
use crate::{ports::records::Message, record::Millis};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    timestamp: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    ops: Option<u32>,
    bytes: u64,
    extension: &'static str,
    r#type: &'static str,
    site: &'a str,
    #[serde(flatten)]
    object: Option<Object<'a>>,
    operation_id: &'a str,
    attempt: u32,
    queued_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    bucket_name: &'a str,
    object_key: &'a str,
    version_id: &'a str,
}

/// That an operation is in the state that its status says.
#[must_use]
pub fn of_status(status: &Status) -> Message {
    let kind = match status.state {
        State::Pending => "queued",
        State::Failed => "failed",
        State::Completed => "completed",
    };
    let reason = status.reason_kind.filter(|_| status.state == State::Failed).map(ReasonKind::name);
    message(status, Event { ops: Some(1), reason, ..event(status, kind, status.changed_at) })
}

/// That a copy starts, with the object's whole size.
#[must_use]
pub fn started(status: &Status, now: Millis) -> Message {
    message(status, Event { object: Some(object(status)), ..event(status, "queued", now) })
}

/// That a part of the object, numbered from 1, arrived.
#[must_use]
pub fn part_completed(status: &Status, part: u32, bytes: u64, now: Millis) -> Message {
    let object = Some(object(status));
    message(status, Event { object, part: Some(part), bytes, ..event(status, "completed", now) })
}

fn event<'a>(status: &'a Status, kind: &'static str, timestamp: Millis) -> Event<'a> {
    Event {
        timestamp,
        ops: None,
        bytes: status.size_bytes,
        extension: "crr",
        r#type: kind,
        site: &status.subject.location,
        object: None,
        operation_id: status.operation.as_str(),
        attempt: status.attempt,
        queued_at: status.queued_at,
        part: None,
        reason: None,
    }
}

fn object(status: &Status) -> Object<'_> {
    let subject = &status.subject;
    Object { bucket_name: &subject.bucket, object_key: &subject.key, version_id: &subject.version }
}

fn message(status: &Status, event: Event<'_>) -> Message {
    let value = serde_json::to_vec(&event).expect("an event is texts and numbers, which is valid JSON");
    let key = Bytes::copy_from_slice(status.operation.as_str().as_bytes());
    Message { key: Some(key), value: Some(value.into()), ..Message::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::backbeat::{
            keys,
            message::{Counts, Decoded, EventKind, decode},
        },
        replication::Subject,
    };

    fn status() -> Status {
        let subject = Subject { location: "l".into(), bucket: "b".into(), key: "d/k".into(), version: "v".into() };
        Status::queued(subject, 7, Millis(1))
    }

    fn decoded(message: &Message) -> (EventKind, Counts) {
        match decode(message.value.as_deref()) {
            Decoded::Change(change) => (change.kind, change.counts),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn events_are_what_the_original_counts() {
        let site = Counts::Site { location: "l".into(), ops: 1, bytes: 7 };
        let failed = status().failed(ReasonKind::Refused, "no".into(), None, Millis(2));
        let done = status().completed(Millis(2));
        for (status, kind) in [(status(), EventKind::Queued), (failed, EventKind::Failed), (done, EventKind::Completed)]
        {
            assert_eq!(decoded(&of_status(&status)), (kind, site.clone()));
        }
        let object = |bytes| Counts::Object {
            object: keys::Object {
                location: "l".into(),
                bucket: "b".into(),
                key: "d/k".into(),
                version_id: "v".into(),
            },
            bytes,
        };
        assert_eq!(decoded(&started(&status(), Millis(3))), (EventKind::Queued, object(7)));
        assert_eq!(decoded(&part_completed(&status(), 2, 3, Millis(3))), (EventKind::Completed, object(3)));
    }

    #[test]
    fn an_event_is_this_text_and_cannot_move() {
        let status = status();
        let text = |message: Message| String::from_utf8(message.value.unwrap().to_vec()).unwrap();
        let id = &status.operation;
        assert_eq!(
            text(of_status(&status)),
            format!(
                r#"{{"timestamp":1,"ops":1,"bytes":7,"extension":"crr","type":"queued","site":"l","operationId":"{id}","attempt":1,"queuedAt":1}}"#
            )
        );
        assert_eq!(
            text(part_completed(&status, 2, 3, Millis(5))),
            format!(
                r#"{{"timestamp":5,"bytes":3,"extension":"crr","type":"completed","site":"l","bucketName":"b","objectKey":"d/k","versionId":"v","operationId":"{id}","attempt":1,"queuedAt":1,"part":2}}"#
            )
        );
        let failed = status.clone().failed(ReasonKind::SourceGone, "gone".into(), None, Millis(6));
        assert_eq!(
            text(of_status(&failed)),
            format!(
                r#"{{"timestamp":6,"ops":1,"bytes":7,"extension":"crr","type":"failed","site":"l","operationId":"{id}","attempt":1,"queuedAt":1,"reason":"source_gone"}}"#
            )
        );
        assert_eq!(of_status(&status).key.as_deref(), Some(id.as_str().as_bytes()));
    }
}
