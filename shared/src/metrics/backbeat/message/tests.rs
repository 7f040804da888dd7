use proptest::prelude::*;

use super::*;

fn decoded(text: &str) -> Decoded {
    decode(Some(text.as_bytes()))
}

fn site(location: &str, ops: i64, bytes: i64) -> Counts {
    Counts::Site { location: location.to_owned(), ops, bytes }
}

#[test]
fn the_documents_messages_are_read() {
    let queued = decoded(
        r#"{"timestamp":1509416671977,"ops":5,"bytes":195,"extension":"crr","type":"queued","site":"us-east-1"}"#,
    );
    let timestamp = Some(Millis(1_509_416_671_977));
    assert_eq!(
        queued,
        Decoded::Change(Change {
            kind: EventKind::Queued,
            timestamp,
            counts: site("us-east-1", 5, 195),
            operation: None
        })
    );

    let completed = decoded(
        r#"{"timestamp":1530600000000,"bytes":5242880,"extension":"crr","type":"completed","site":"us-east-1",
            "bucketName":"b","objectKey":"dir/k","versionId":"3938"}"#,
    );
    let object =
        Object { location: "us-east-1".into(), bucket: "b".into(), key: "dir/k".into(), version_id: "3938".into() };
    let counts = Counts::Object { object, bytes: 5_242_880 };
    assert_eq!(
        completed,
        Decoded::Change(Change {
            kind: EventKind::Completed,
            timestamp: Some(Millis(1_530_600_000_000)),
            counts,
            operation: None
        })
    );
}

#[test]
fn each_malformed_message_has_its_reason() {
    let crr = |rest: &str| format!(r#"{{"extension":"crr",{rest}}}"#);
    let cases = [
        (String::new(), "not_json"),
        ("not json".into(), "not_json"),
        ("{".into(), "not_json"),
        ("null".into(), "null"),
        ("[]".into(), "not_an_object"),
        ("\"text\"".into(), "not_an_object"),
        ("3".into(), "not_an_object"),
        ("{}".into(), "missing_field"),
        (r#"{"extension":3}"#.into(), "wrong_type"),
        (r#"{"extension":["crr"]}"#.into(), "wrong_type"),
        (crr(r#""site":"a","ops":1,"bytes":1"#), "missing_field"),
        (crr(r#""type":"other","site":"a","ops":1,"bytes":1"#), "unknown_type"),
        (crr(r#""type":7,"site":"a","ops":1,"bytes":1"#), "wrong_type"),
        (crr(r#""type":"queued","ops":1,"bytes":1"#), "missing_site"),
        (crr(r#""type":"queued","site":null,"ops":1,"bytes":1"#), "missing_site"),
        (crr(r#""type":"queued","site":"","ops":1,"bytes":1"#), "missing_site"),
        (crr(r#""type":"queued","site":":preferred_read","ops":1,"bytes":1"#), "missing_site"),
        (crr(r#""type":"queued","site":{"a":1},"ops":1,"bytes":1"#), "wrong_type"),
        (crr(r#""type":"queued","site":"a","ops":"3","bytes":1"#), "wrong_type"),
        (crr(r#""type":"queued","site":"a","ops":true,"bytes":1"#), "wrong_type"),
        (crr(r#""type":"queued","site":"a","bytes":1"#), "missing_field"),
        (crr(r#""type":"queued","site":"a","ops":1"#), "missing_field"),
        (crr(r#""type":"queued","site":"a","ops":-1,"bytes":1"#), "out_of_range"),
        (crr(r#""type":"queued","site":"a","ops":1.5,"bytes":1"#), "out_of_range"),
        (crr(r#""type":"queued","site":"a","ops":1,"bytes":1e300"#), "out_of_range"),
        (crr(r#""type":"queued","site":"a","ops":1,"bytes":1,"timestamp":"now""#), "wrong_type"),
        (crr(r#""type":"queued","site":"a","bytes":1,"bucketName":"b","objectKey":3,"versionId":"v""#), "wrong_type"),
        (
            crr(r#""type":"queued","site":"a","bytes":1,"bucketName":"b:c","objectKey":"k","versionId":"v""#),
            "ambiguous",
        ),
        (
            crr(r#""type":"queued","site":"a:b","bytes":1,"bucketName":"b","objectKey":"k","versionId":"v""#),
            "ambiguous",
        ),
        (crr(&format!(r#""type":"queued","site":"{}","ops":1,"bytes":1"#, "a".repeat(2_049))), "out_of_range"),
    ];
    for (message, reason) in cases {
        match decoded(&message) {
            Decoded::Malformed(malformed) => assert_eq!(malformed.reason(), reason, "{message}"),
            other => panic!("{message} was taken for {other:?}"),
        }
    }
    assert_eq!(decode(None), Decoded::Malformed(Malformed::Tombstone));
    assert_eq!(decode(Some(b"\xff\xfe")), Decoded::Malformed(Malformed::NotJson));
}

#[test]
fn a_megabyte_of_brackets_is_not_json() {
    for bracket in [b"[".as_slice(), b"{\"a\":", b"[{\"__proto__\":"] {
        let message = bracket.repeat(1_000_000 / bracket.len());
        assert_eq!(decode(Some(&message)), Decoded::Malformed(Malformed::NotJson));
    }
}

#[test]
fn the_names_of_javascripts_machinery_are_names_like_others() {
    let message = r#"{"extension":"crr","type":"queued","site":"__proto__","ops":1,"bytes":2,"__proto__":{"ops":9},"constructor":null}"#;
    assert_eq!(
        decoded(message),
        Decoded::Change(Change {
            kind: EventKind::Queued,
            timestamp: None,
            counts: site("__proto__", 1, 2),
            operation: None
        })
    );
}

#[test]
fn other_extensions_are_skipped_silently_and_ours_are_handed_on() {
    assert_eq!(decoded(r#"{"extension":"ingestion","ops":"wrong"}"#), Decoded::Skipped);
    assert!(matches!(decoded(r#"{"extension":"backup","type":"standing"}"#), Decoded::Ours(_)));
}

#[test]
fn a_preferred_read_location_counts_for_its_location() {
    let message = r#"{"extension":"crr","type":"failed","site":"aws:east:preferred_read","ops":1,"bytes":5.0}"#;
    assert_eq!(
        decoded(message),
        Decoded::Change(Change {
            kind: EventKind::Failed,
            timestamp: None,
            counts: site("aws", 1, 5),
            operation: None
        })
    );
}

#[test]
fn a_message_that_names_only_a_part_of_an_object_counts_for_its_location() {
    let message = r#"{"extension":"crr","type":"completed","site":"a","ops":1,"bytes":5,"bucketName":"b","objectKey":"","versionId":"v"}"#;
    assert_eq!(
        decoded(message),
        Decoded::Change(Change {
            kind: EventKind::Completed,
            timestamp: None,
            counts: site("a", 1, 5),
            operation: None
        })
    );
}

#[test]
fn a_failed_object_counts_nowhere() {
    let message =
        r#"{"extension":"crr","type":"failed","site":"a","bytes":5,"bucketName":"b","objectKey":"k","versionId":"v"}"#;
    assert_eq!(decoded(message), Decoded::Skipped);
}

proptest! {
    #[test]
    fn no_bytes_break_the_decoder(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(Some(&bytes));
    }
}

#[test]
fn an_operation_is_told_by_fields_that_the_original_does_not_have() {
    let message =
        |more: &str| decoded(&format!(r#"{{"extension":"crr","type":"failed","site":"a","ops":1,"bytes":5{more}}}"#));
    let Decoded::Change(change) = message(r#","operationId":"0a","attempt":3,"queuedAt":7"#) else {
        panic!("a change")
    };
    let expected = OperationRef { id: "0a".into(), attempt: 3, queued_at: Some(Millis(7)), part: 0, reason: None };
    assert_eq!(change.operation, Some(expected));
    for (more, field) in [(r#","attempt":0"#, "attempt"), (r#","attempt":1.5"#, "attempt"), (r#","part":0"#, "part")] {
        let refused = message(&format!(r#","operationId":"0a"{more}"#));
        assert_eq!(refused, Decoded::Malformed(Malformed::OutOfRange(field)));
    }
}

#[test]
fn what_is_no_json_makes_the_message_none_wherever_it_stands() {
    let crr = r#""extension":"crr","type":"queued","site":"a","ops":1,"bytes":1"#;
    for odd in [r#""x":[1,{"y":1e999}]"#, r#""x":"\ud800""#, r#""x":{"y":[tru]}"#, r#""x":01"#] {
        assert_eq!(decoded(&format!("{{{crr},{odd}}}")), Decoded::Malformed(Malformed::NotJson), "{odd}");
    }
    let not_utf8 = [format!("{{{crr},\"x\":\"").as_bytes(), b"\xff\"}"].concat();
    assert_eq!(decode(Some(&not_utf8)), Decoded::Malformed(Malformed::NotJson));
    let deep = format!("{{{crr},\"x\":{}}}", "[".repeat(1_000) + &"]".repeat(1_000));
    assert_eq!(decoded(&deep), Decoded::Malformed(Malformed::NotJson));
    for fine in [r#""x":[1,{"y":"\u0041"}]"#, r#""site":"b","\u0073ite":"a""#, r#""ops":[],"ops":1"#] {
        let Decoded::Change(change) = decoded(&format!("{{{crr},{fine}}}")) else { panic!("{fine}") };
        assert_eq!(change.counts, site("a", 1, 1), "of a field that comes twice the last one counts: {fine}");
    }
}
