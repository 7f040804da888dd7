use proptest::prelude::*;
use serde_json::json;

use super::*;

const STANDING: &str = include_str!("../../../fixtures/metrics/standing.json");
const STANDING_WITHOUT_JOB: &str = include_str!("../../../fixtures/metrics/standing-without-job.json");
const ENDS: &str = include_str!("../../../fixtures/metrics/ends.json");
const INSTANCE: &str = include_str!("../../../fixtures/metrics/instance.json");
const PROCESS: &str = include_str!("../../../fixtures/metrics/process.json");
const STANDING_WITH_MARKS: &str = include_str!("../../../fixtures/metrics/standing-with-marks.json");
const ENDS_WITH_BACKLOG: &str = include_str!("../../../fixtures/metrics/ends-with-backlog.json");
const LOCATION: &str = include_str!("../../../fixtures/metrics/location.json");
const GOLDEN: [&str; 5] = [STANDING, STANDING_WITHOUT_JOB, ENDS, INSTANCE, LOCATION];

fn digest() -> ChainDigest {
    serde_json::from_value(json!("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")).unwrap()
}

fn value(golden: &str) -> Value {
    serde_json::from_str(golden).unwrap()
}

fn decode(golden: &str) -> Message {
    Message::decode(&value(golden)).unwrap()
}

#[test]
fn a_standing_is_read_as_what_it_says() {
    let expected = Standing {
        timestamp: Millis(1_700_000_000_123),
        backup: "main".into(),
        topic: "orders".into(),
        topic_id: "lZ2hmFAmSf2a1xQxRnJhNw".into(),
        incarnation: 2,
        partition: Partition(7),
        start: Offset(100),
        next: Offset(389),
        totals: Totals {
            records: 380,
            record_bytes: 4096,
            filtered: 3,
            filter_errors: 0,
            segments: 5,
            stored_bytes: 2048,
            gaps: 1,
            gap_offsets: 6,
        },
        totals_before_start: Totals {
            records: 95,
            record_bytes: 1024,
            filtered: 0,
            filter_errors: 0,
            segments: 1,
            stored_bytes: 512,
            gaps: 1,
            gap_offsets: 5,
        },
        digest: digest(),
        marks: Marks::default(),
        job: Some(Job {
            state: State::STREAMING,
            attempt: 0,
            since: Millis(1_699_999_990_000),
            expires: Some(Millis(1_700_000_045_123)),
            position: Offset(392),
            diverged_from: None,
            owner_epoch: 1_699_999_980_000,
            sequence: 12,
        }),
    };
    assert_eq!(decode(STANDING), Message::Standing(expected));
}

#[test]
fn what_else_is_known_of_a_chain_and_its_log_is_read_as_what_it_says() {
    let Message::Standing(standing) = decode(STANDING_WITH_MARKS) else { panic!("a standing") };
    let marks =
        Marks { written_at: Some(Millis(1_700_000_000_001)), last_gap_at: Some(Millis(1_699_999_999_999)), losses: 2 };
    assert_eq!(standing.marks, marks);
    let Message::Ends(ends) = decode(ENDS_WITH_BACKLOG) else { panic!("ends") };
    let oldest = Oldest { from: Offset(389), offset: Offset(391), timestamp: Millis(1_699_999_990_000), bytes: 120 };
    assert_eq!(ends.oldest, Some(oldest));
    assert_eq!(ends.earlier, Some(Earlier { timestamp: Millis(1_699_999_985_456), log_end: Offset(398) }));
    assert_eq!(ends.retention, Some(Retention { ms: Some(604_800_000), bytes: Some(1 << 30) }));
}

#[test]
fn the_format_of_every_message_is_the_golden_one_and_cannot_move() {
    for golden in GOLDEN.into_iter().chain([STANDING_WITH_MARKS, ENDS_WITH_BACKLOG, PROCESS]) {
        let encoded = decode(golden).encode();
        assert_eq!(std::str::from_utf8(&encoded.value.unwrap()).unwrap(), golden.trim_end());
        assert!(encoded.headers.is_empty() && encoded.partition.is_none());
    }
}

#[test]
fn the_key_keeps_a_chains_standings_in_one_partition() {
    assert_eq!(decode(STANDING).key(), "main/orders/2/7");
    assert_eq!(decode(ENDS).key(), "main/orders/7");
    assert_eq!(decode(INSTANCE).key(), "main/orders/serve-4f1c");
}

#[test]
fn fields_that_a_later_version_adds_are_passed_over() {
    for golden in GOLDEN {
        let mut message = value(golden);
        message["added"] = json!({"later": [1, 2, 3]});
        assert_eq!(Message::decode(&message).unwrap(), decode(golden));
    }
}

#[test]
fn what_is_no_message_of_ours_is_told_apart() {
    let kind = |value: Value| Message::decode(&value).unwrap_err().kind();
    assert_eq!(kind(json!(null)), "not_an_object");
    assert_eq!(kind(json!([STANDING])), "not_an_object");
    assert_eq!(kind(json!({})), "other_extension");
    assert_eq!(kind(json!({"extension": "crr", "type": "standing"})), "other_extension");
    assert_eq!(kind(json!({"extension": ["backup"], "type": "standing"})), "other_extension");
    assert_eq!(kind(json!({"extension": "backup"})), "unknown_type");
    assert_eq!(kind(json!({"extension": "backup", "type": "queued"})), "unknown_type");
    assert_eq!(kind(json!({"extension": "backup", "type": "__proto__"})), "unknown_type");
    assert_eq!(kind(json!({"extension": "backup", "type": "ends"})), "malformed");
}

#[test]
fn a_message_without_one_of_its_fields_is_malformed() {
    for golden in GOLDEN {
        let whole = value(golden);
        for field in whole.as_object().unwrap().keys().filter(|f| !["extension", "type", "job"].contains(&f.as_str())) {
            let mut message = whole.clone();
            message.as_object_mut().unwrap().remove(field);
            let error = Message::decode(&message).unwrap_err();
            assert_eq!(error.kind(), "malformed", "{field}");
            assert!(error.to_string().contains(field), "{error}");
        }
    }
}

#[test]
fn a_field_of_another_type_is_malformed_and_never_read_as_something_else() {
    for golden in GOLDEN {
        let whole = value(golden);
        for field in whole.as_object().unwrap().keys().filter(|f| !["extension", "type"].contains(&f.as_str())) {
            for wrong in
                [json!(true), json!([]), json!({"__proto__": 1}), json!("x".repeat(300)), json!(-1), json!(0.5)]
            {
                let mut message = whole.clone();
                message[field] = wrong.clone();
                assert!(Message::decode(&message).is_err(), "{field}: {wrong}");
            }
        }
    }
}

#[test]
fn the_reason_stays_short_whatever_was_sent() {
    let mut message = value(ENDS);
    message["logEnd"] = json!("9".repeat(1_000_000));
    assert!(Message::decode(&message).unwrap_err().to_string().len() < 300);
}

#[test]
fn a_standing_that_contradicts_itself_is_refused() {
    let kind = |change: &dyn Fn(&mut Value)| {
        let mut message = value(STANDING);
        change(&mut message);
        Message::decode(&message).unwrap_err().kind()
    };
    assert_eq!(kind(&|m| m["incarnation"] = json!(0)), "inconsistent");
    assert_eq!(kind(&|m| m["start"] = json!(390)), "inconsistent");
    assert_eq!(kind(&|m| m["job"]["position"] = json!(388)), "inconsistent");
    assert_eq!(kind(&|m| m["totals"]["records"] = json!(94)), "inconsistent");
    assert_eq!(kind(&|m| m["job"]["state"] = json!(400)), "malformed");
    assert_eq!(kind(&|m| m["topic"] = json!("")), "out_of_range");
}

#[test]
fn log_ends_and_idle_times_are_within_their_bounds() {
    let mut ends = value(ENDS);
    ends["logStart"] = json!(409);
    assert_eq!(Message::decode(&ends).unwrap_err().kind(), "inconsistent");
    let mut instance = value(INSTANCE);
    instance["idleUs"] = json!(898_427_272);
    assert_eq!(Message::decode(&instance).unwrap_err().kind(), "inconsistent");
}

proptest! {
    #[test]
    fn every_message_is_read_back_as_it_was_sent(message in super::super::registers::examples::message()) {
        let encoded = message.encode().value.unwrap();
        prop_assert_eq!(Message::decode(&serde_json::from_slice(&encoded).unwrap()).unwrap(), message);
    }
}
