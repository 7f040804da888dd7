use std::sync::Arc;

use futures::FutureExt as _;
use proptest::prelude::*;

use super::*;
use crate::{
    adapters::memory::{clock::ManualClock, store::MemoryStore},
    metrics::keys,
    ports::store::{Applied, Store as _},
    record::{Millis, Partition, TimestampType, TopicId},
};

const AT: Millis = Millis(1_531_432_000_000);

fn place() -> Place {
    Place { topic_id: TopicId::from("metrics"), partition: Partition(0) }
}

fn record(offset: i64, value: String) -> Record {
    let value = Some(value.into());
    Record {
        offset: Offset(offset),
        timestamp: AT,
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value,
        headers: vec![],
    }
}

fn queued(offset: i64, site: &str) -> Record {
    record(offset, format!(r#"{{"extension":"crr","type":"queued","site":"{site}","ops":1,"bytes":10}}"#))
}

fn folded(from: Option<i64>, records: &[Record]) -> Vec<Part> {
    fold(&place(), from.map(Offset), records, Windows::default())
}

/// What a store holds after these parts, one after the other.
fn stored(parts: &[Part]) -> crate::adapters::memory::store::Contents {
    let store = MemoryStore::new(Arc::new(ManualClock::at(AT)));
    for part in parts {
        let applied = store.apply(&[part.advance()], &part.operations).now_or_never().unwrap().unwrap();
        assert_eq!(applied, Applied::Done, "each part begins where the one before it ended");
    }
    store.snapshot()
}

#[test]
fn messages_of_one_location_and_interval_become_four_additions() {
    let records: Vec<Record> = (0..1_000).map(|offset| queued(offset, "a")).collect();
    let parts = folded(Some(0), &records);
    assert_eq!(parts.len(), 1);
    assert_eq!((parts[0].from, parts[0].to, parts[0].operations.len()), (Some(Offset(0)), Offset(1_000), 4));
    assert!(parts[0].operations.contains(&Operation::Add {
        key: "a:bb:crr:opspending".into(),
        by: 1_000,
        expires: None
    }));
}

#[test]
fn offsets_that_do_not_exist_are_passed_over() {
    let parts = folded(Some(3), &[queued(5, "a"), queued(9, "a")]);
    assert_eq!((parts[0].from, parts[0].to), (Some(Offset(3)), Offset(10)));
    let never_counted = folded(None, &[queued(5, "a")]);
    assert_eq!((never_counted[0].from, never_counted[0].to), (None, Offset(6)));
}

#[test]
fn what_is_counted_already_is_left_out() {
    let records = [queued(0, "a"), queued(1, "a"), queued(2, "b")];
    assert_eq!(folded(Some(2), &records), folded(Some(2), &records[2..]));
    assert_eq!(folded(Some(3), &records), []);
    assert_eq!(folded(Some(0), &[]), []);
}

#[test]
fn messages_that_change_nothing_still_move_the_position() {
    let parts = folded(Some(0), &[record(0, r#"{"extension":"other"}"#.into())]);
    assert_eq!((parts[0].to, parts[0].operations.len()), (Offset(1), 0));
}

#[test]
fn a_part_stays_below_a_thousand_operations_and_five_megabytes() {
    let many: Vec<Record> = (0..2_000).map(|n| queued(n, &format!("site{n}"))).collect();
    let long_key = "\\u0001".repeat(340);
    let object = |n: i64| {
        let names = format!(r#""bucketName":"b{n}","objectKey":"{long_key}","versionId":"v""#);
        record(n, format!(r#"{{"extension":"crr","type":"queued","site":"a","bytes":1,{names}}}"#))
    };
    let large: Vec<Record> = (0..5_000).map(object).collect();
    for records in [many, large] {
        let parts = folded(Some(0), &records);
        assert!(parts.len() > 1);
        for part in &parts {
            assert!(part.operations.len() < OPERATIONS_MAX);
            assert!(serde_json::to_vec(part).unwrap().len() < BYTES_MAX);
        }
        let boundaries: Vec<_> = parts.windows(2).map(|pair| (Some(pair[0].to), pair[1].from)).collect();
        assert!(boundaries.iter().all(|(to, from)| to == from));
        assert_eq!(parts.last().map(|part| part.to), Some(Offset(records.len() as i64)));
    }
}

#[test]
fn of_a_registers_settings_the_greatest_is_kept_and_a_removal_keeps_its_place() {
    let max = |order: u64| Operation::Max {
        key: "h".into(),
        field: "f".into(),
        order: vec![order],
        value: order.to_string(),
    };
    let remove = Operation::Remove { key: "h".into(), fields: vec!["f".into()] };
    let mut folded = Folded::default();
    for operation in [max(3), max(9), max(4), remove.clone(), max(1), max(2)] {
        folded.merge(operation);
    }
    assert_eq!(folded.operations, [max(9), remove, max(2)]);
}

/// Everything that may lie on the topic.
fn message() -> impl Strategy<Value = String> {
    let site = prop::sample::select(vec!["a", "b", "__proto__", "c:preferred_read"]);
    let kind = prop::sample::select(vec!["queued", "completed", "failed"]);
    let crr = (site, kind, 0..20_i64, 0..1_000_i64, -3_000_000..3_000_000_i64).prop_map(|(site, kind, ops, bytes, ago)| {
        let timestamp = AT.0 - ago;
        format!(r#"{{"extension":"crr","type":"{kind}","site":"{site}","ops":{ops},"bytes":{bytes},"timestamp":{timestamp}}}"#)
    });
    let object = (0..3_u8, 0..1_000_i64).prop_map(|(key, bytes)| {
        format!(r#"{{"extension":"crr","type":"completed","site":"a","bytes":{bytes},"bucketName":"b","objectKey":"{key}","versionId":"v"}}"#)
    });
    let ends = (0..3_u8, 0..50_i64, 0..50_i64).prop_map(|(topic, time, end)| {
        format!(
            r#"{{"extension":"backup","type":"ends","backup":"main","topic":"t{topic}","topicId":"i","partition":0,"timestamp":{time},"logStart":0,"logEnd":{end}}}"#
        )
    });
    prop_oneof![6 => crr, 2 => object, 2 => ends, 1 => Just("null".to_owned()), 1 => ".{0,20}"]
}

proptest! {
    #[test]
    fn a_batch_gives_the_same_figures_however_it_is_split(
        messages in prop::collection::vec((message(), 1..4_i64), 1..60), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)
    ) {
        let mut offset = 0;
        let records: Vec<Record> = messages.into_iter().map(|(message, step)| {
            offset += step;
            record(offset, message)
        }).collect();
        let whole = stored(&folded(None, &records));

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(records.len())).collect();
        cuts.extend([0, records.len()]);
        cuts.sort_unstable();
        let mut position = None;
        let mut parts = Vec::new();
        for cut in cuts.windows(2) {
            // Each batch comes with what was counted before it, as a redelivery does.
            let more = folded(position, &records[cut[0].saturating_sub(2)..cut[1]]);
            position = more.last().map(|part| part.to.0).or(position);
            parts.extend(more);
        }
        prop_assert_eq!(stored(&parts), whole);
    }
}

#[test]
fn the_position_of_a_part_is_kept_by_topic_id_and_partition() {
    let part = &folded(None, &[queued(4, "a")])[0];
    let advance = part.advance();
    assert_eq!((advance.key, advance.from, advance.to), (keys::position(&place().topic_id, Partition(0)), None, 5));
}
