//! What a restore is asked for, as people say it.

use std::fmt::Display;

use super::progress::Fixed;
use crate::record::{Millis, Offset};

/// So many partitions are named.
const PARTITIONS_NAMED_MAX: usize = 10;

/// What is restored of a topic and into which, in a line.
#[must_use]
pub fn in_words(fixed: &Fixed, target: &str) -> String {
    let mut words = vec![format!("{}, incarnation {}, into {target}", fixed.source, fixed.incarnation)];
    let partitions = fixed.partitions.iter().take(PARTITIONS_NAMED_MAX).map(|(number, range)| {
        let offsets = between(range.from.map(|Offset(from)| from), range.until.map(|Offset(until)| until));
        offsets.map_or_else(|| number.to_string(), |offsets| format!("{number} ({offsets})"))
    });
    let named: Vec<String> = partitions.collect();
    if !named.is_empty() {
        let more = if fixed.partitions.len() > named.len() { " and more" } else { "" };
        words.push(format!("partitions {}{more}", named.join(", ")));
    }
    let time = between(fixed.time.from.map(written), fixed.time.to.map(written));
    words.extend(time.map(|time| format!("records {time}")));
    words.extend(fixed.filter.as_ref().map(|filter| format!("only where {filter}")));
    words.extend(fixed.rehash.then(|| "records go where their keys belong".to_owned()));
    words.extend((!fixed.origin_headers.is_none()).then(|| "headers tell where each record was".to_owned()));
    words.extend(fixed.schema_ids.as_ref().map(|_| "ids of schemas are those of another registry".to_owned()));
    let dated = |header: &String| format!("records that are dated anew keep their time in header {header}");
    words.extend(fixed.clamp_timestamps.as_ref().map(dated));
    words.join("; ")
}

fn between(from: Option<impl Display>, before: Option<impl Display>) -> Option<String> {
    match (from, before) {
        (Some(from), Some(before)) => Some(format!("from {from} to before {before}")),
        (Some(from), None) => Some(format!("from {from}")),
        (None, Some(before)) => Some(format!("before {before}")),
        (None, None) => None,
    }
}

fn written(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        record::{Partition, TopicId},
        restore::{OffsetRange, OriginHeaders, TimeRange},
    };

    #[test]
    fn a_plan_says_what_is_asked_and_nothing_else() {
        let plain = Fixed {
            source: "orders".into(),
            source_topic_id: TopicId::from("t"),
            incarnation: 2,
            time: TimeRange::default(),
            partitions: BTreeMap::new(),
            filter: None,
            rehash: false,
            origin_headers: OriginHeaders::default(),
            schema_ids: None,
            clamp_timestamps: None,
        };
        assert_eq!(in_words(&plain, "orders"), "orders, incarnation 2, into orders");
        let range = OffsetRange { from: Some(Offset(5)), until: Some(Offset(9)) };
        let partitions = BTreeMap::from([(Partition(0), range), (Partition(3), OffsetRange::default())]);
        let time = TimeRange { from: Some(Millis(1_700_000_000_000)), to: None };
        let filter = Some("key != null".to_owned());
        let much = Fixed { partitions, time, filter, rehash: true, ..plain };
        assert_eq!(
            in_words(&much, "copy"),
            "orders, incarnation 2, into copy; partitions 0 (from 5 to before 9), 3; records from 2023-11-14T22:13:20Z; only where key != null; \
             records go where their keys belong"
        );
    }
}
