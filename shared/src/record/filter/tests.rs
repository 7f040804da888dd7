//! Expressions judge records, and nothing that is written in either takes the process.

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::record::{Header, Millis, Offset, Partition, TimestampType};

fn header(name: &str, value: Option<&[u8]>) -> Header {
    Header { name: name.to_owned().into(), value: value.map(Bytes::copy_from_slice) }
}

fn record(key: Option<&str>, value: Option<&str>) -> Record {
    Record {
        offset: Offset(42),
        timestamp: Millis(1_700_000_000_000),
        timestamp_type: TimestampType::CreateTime,
        key: key.map(|key| key.to_owned().into()),
        value: value.map(|value| value.to_owned().into()),
        headers: vec![
            header("x", Some(b"first")),
            header("x", Some(b"y")),
            header("none", None),
            header("binary", Some(b"\xff")),
        ],
    }
}

fn order() -> Record {
    let json = r#"{"amount": 12.5, "id": 7, "tags": ["a", "b"], "to": {"land": "CH"}, "big": 18446744073709551615, "no": null}"#;
    record(Some("k-1"), Some(json))
}

fn judged(expression: &str, record: &Record) -> Result<bool, Undecided> {
    let at = TopicPartition { topic: "orders".into(), partition: Partition(3) };
    Filter::compile(expression).unwrap_or_else(|error| panic!("{expression}: {error}")).keeps(&at, record)
}

#[test]
fn a_record_is_judged_by_any_of_its_parts() {
    for expression in [
        "value.json.amount > 10 && headers['x'] == 'y'",
        "value.json.id == 7 && value.json.to.land in ['CH', 'AT'] && value.json.no == null",
        "value.json.tags.exists(tag, tag == 'b') && !value.json.tags.all(tag, tag == 'b')",
        "has(value.json.to.land) && !has(value.json.to.city)",
        "value.json.big == 18446744073709551615u && value.json == {'a': 1} || size(value.json) == 6",
        "key == 'k-1' && key.startsWith('k') && value.contains('amount')",
        "value.matches('\"amount\": *[0-9]') && !matches(key, '^x')",
        "headers.x == 'y' && header_values['x'] == ['first', 'y'] && headers['none'] == null",
        "'x' in headers && !('z' in headers) && has(headers.x) && !has(headers.z) && size(headers) == 3",
        "headers.exists(name, name == 'none')",
        "timestamp >= 1700000000000 && size > 50 && topic == 'orders' && partition == 3 && offset == 42",
        "type(value.json.amount) == double && int(value.json.amount) == 12",
        "true",
    ] {
        assert_eq!(judged(expression, &order()), Ok(true), "{expression}");
        assert_eq!(judged(&format!("!({expression})"), &order()), Ok(false), "{expression}");
    }
}

#[test]
fn a_tombstone_and_an_empty_value_differ() {
    assert_eq!(judged("value == null", &record(None, None)), Ok(true));
    assert_eq!(judged("value == null || key != null", &record(None, Some(""))), Ok(false));
    assert_eq!(judged("value == ''", &record(None, Some(""))), Ok(true));
}

#[test]
fn what_an_expression_cannot_say_of_a_record_is_undecided_and_shows_nothing_of_it() {
    let binary = Record { value: Some(Bytes::from_static(b"secret\xff")), ..order() };
    let text = record(None, Some("secret"));
    let cases = [
        ("value.json.missing > 1", order(), "no such key: missing"),
        ("value.json.to > 1", order(), "found no matching overload for '_>_' applied to '(map, int)'"),
        ("value.json.amount", order(), "the expression gives a double, not true or false"),
        ("value.json.a == 1", text.clone(), "its value is not JSON: expected value at line 1 column 1"),
        ("has(value.json.a)", text.clone(), "its value is not JSON: expected value at line 1 column 1"),
        ("value == 'x'", binary.clone(), "its value is not UTF-8"),
        ("headers['binary'] == 'x'", order(), "headers: reading a value as UTF-8 failed"),
        ("headers['z'] == 'x'", order(), "no such key: z"),
        ("value + 1 == value", text.clone(), "the operands of add do not fit"),
        ("int(value) == 1", text.clone(), "int failed"),
        ("value[0] == 's'", text.clone(), "found no matching overload for '_[_]' applied to '(string, int)'"),
        ("value.json.id / 0 == 1", order(), "a division by zero"),
        (
            "value.json.a == 1",
            record(None, None),
            "found no matching overload for '_._' applied to '(null_type, string)'",
        ),
    ];
    for (expression, record, why) in cases {
        let error = judged(expression, &record).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{expression}: {error}");
        assert_eq!(error, why, "{expression}");
    }
}

#[test]
fn the_other_side_of_an_or_decides_where_one_fails() {
    assert_eq!(judged("value.json.missing > 1 || key == 'k-1'", &order()), Ok(true));
    assert_eq!(judged("value.json.missing > 1 && key == 'other'", &order()), Ok(false));
}

#[test]
fn what_does_not_compile_is_told_with_its_place() {
    let cases = [
        ("", "line 1, column 1:"),
        ("value.json.amount >", "line 1, column 20:"),
        ("key == 'a' &&\n vaule == 'b'", "line 2, column 2: vaule is not known; known are key, value, headers,"),
        ("value.amount > 1", "line 1, column 6: value is a text: did you mean value.json.amount?"),
        ("key.lowerAscii() == 'a'", "there is no function lowerAscii; there are bool, bytes, contains,"),
        ("headers == {}", "line 1, column 1: headers has no value of its own"),
        ("[headers] == []", "line 1, column 2: headers has no value of its own"),
        ("key.matches(value)", "matches takes a regular expression that is written out"),
        ("key.matches('((a{1,1000}){1,1000}){1,1000}')", "no usable regular expression"),
        ("key.matches('(')", "no usable regular expression"),
        ("x.y.Type{a: 1} == 1", "there is no type x.y.Type"),
        ("key.all(a, key.all(b, key.all(c, true)))", "all, exists, map and filter nest deeper than 2"),
        ("timestamp('2024-01-01T00:00:00Z') < timestamp", "there is no function timestamp"),
        ("key.?x == 1", "line 1, column"),
    ];
    for (expression, why) in cases {
        let error = Filter::compile(expression).unwrap_err().to_string();
        assert!(error.contains(why), "{expression}: {error}");
    }
}

#[test]
fn absurd_expressions_are_refused_and_not_a_stack_overflow() {
    let many = |text: &str| text.repeat(BYTES_MAX / text.len() - 4);
    for expression in [
        many("("),
        many("["),
        many("1+") + "1 == 1",
        "key".to_owned() + &many(".a"),
        many("true?true:"),
        many("size(") + &many(")"),
        many("a.all(b,"),
        "x".repeat(BYTES_MAX + 1),
        many("'"),
        many("`"),
        many("\\"),
    ] {
        let error = Filter::compile(&expression).err();
        assert!(error.is_some(), "{}", &expression[..20]);
    }
    // The library balances or folds these itself.
    for expression in [many("true && ") + "true", many("!!") + "true", many("--") + "1 == 1"] {
        assert_eq!(judged(&expression, &order()), Ok(true));
    }
}

#[test]
fn a_record_of_any_size_is_judged_in_bounded_work_or_not_at_all() {
    let list = |count: usize| record(None, Some(&format!("[{}0]", "0,".repeat(count))));
    let twice = "value.json.all(a, value.json.all(b, a == b))";
    assert_eq!(judged(twice, &list(500)), Ok(true));
    assert!(matches!(judged(twice, &list(100_000)), Err(Undecided::TooLarge { .. })));
    assert_eq!(judged("value.json.all(a, a == 0)", &list(10_000)), Ok(true));
    assert_eq!(judged("size(value.json) > 1", &list(200_000)), Ok(true));
    assert!(matches!(judged("size(value.json) > 1", &list(300_000)), Err(Undecided::TooLarge { .. })));
    let deep = record(None, Some(&("[".repeat(100_000) + &"]".repeat(100_000))));
    assert!(matches!(judged("size(value.json) > 1", &deep), Err(Undecided::NotJson { .. })));
}

#[test]
fn the_last_of_several_fields_of_one_name_counts() {
    assert_eq!(judged("value.json.a == 2", &record(None, Some(r#"{"a": 1, "\u0061": 2}"#))), Ok(true));
}

fn bytes() -> impl Strategy<Value = Bytes> {
    let json = prop::sample::select(vec![r#"{"amount":11,"items":[{"id":1}]}"#, "[1,2]", "null", "\"text\"", "{"]);
    prop_oneof![
        vec(any::<u8>(), 0..30).prop_map(Bytes::from),
        json.prop_map(|text| Bytes::from_static(text.as_bytes()))
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    let header = (bytes(), option::of(bytes())).prop_map(|(name, value)| Header { name, value });
    (any::<i64>(), option::of(bytes()), option::of(bytes()), vec(header, 0..3)).prop_map(
        |(timestamp, key, value, headers)| Record { timestamp: Millis(timestamp), key, value, headers, ..order() },
    )
}

proptest! {
    #[test]
    fn any_record_is_judged_twice_the_same(record in any_record()) {
        for expression in [
            "value.json.amount > 10",
            "value.json.items.exists(item, item.id == 1) || key.contains('a')",
            "headers.exists(name, headers[name] == value) && timestamp % 7 != offset",
            "key.json == value.json || size - timestamp > 5",
        ] {
            prop_assert_eq!(judged(expression, &record), judged(expression, &record));
        }
    }

    #[test]
    fn any_text_is_an_expression_or_an_error_with_a_place(text in "[ -~\n]{0,60}") {
        if let Err(error) = Filter::compile(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
    }

    #[test]
    fn any_arrangement_of_tokens_compiles_or_not_and_judges_without_harm(
        tokens in vec(prop::sample::select(vec![
            "key", "value", ".json", "headers", "['x']", "&&", "||", "!", "(", ")", "==", "in", "1", "'a'", "[", "]", ",",
            ".size()", ".exists(v,", "v", "has(", "?", ":", "-", "+", "%", "matches(", "null", "{", "}", ".", "string(",
        ]), 0..14)
    ) {
        if let Ok(filter) = Filter::compile(&tokens.concat()) {
            let at = TopicPartition { topic: "orders".into(), partition: Partition(0) };
            let _ = filter.keeps(&at, &order());
        }
    }
}
