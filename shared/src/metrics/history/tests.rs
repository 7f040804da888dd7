use super::*;
use crate::metrics::{
    registers::examples::{hashes, registers_after},
    view::view,
};

const MINUTE_MS: i64 = 60_000;
const TOPIC: Series<'static> = Series::Topic("main", "orders");

fn values() -> Values {
    Values { gauges: vec![Some(0.98), Some(12.4)], counts: vec![Some(380), Some(u64::MAX)] }
}

/// What is held at a key after these changes.
fn held(before: Vec<Register>, key: &str, more: Vec<Operation>) -> Vec<Register> {
    let back = |it: Register| Operation::Max { key: key.to_owned(), field: it.field, order: it.order, value: it.value };
    hashes(before.into_iter().map(back).chain(more)).remove(key).unwrap_or_default().into_values().collect()
}

/// Notes at each of these minutes, as lag-monitor does; what is held of each span after it.
fn after(minutes: impl Iterator<Item = i64>) -> [Vec<Register>; 2] {
    let (mut points, mut steps) = ([vec![], vec![]], vec![]);
    for minute in minutes {
        let now = Millis(minute * MINUTE_MS);
        let spans = due(&steps, now);
        for span in &spans {
            let of_span = &mut points[*span as usize];
            let noted = TOPIC.note(*span, of_span, &values(), now);
            *of_span = held(std::mem::take(of_span), &TOPIC.key(*span), vec![noted]);
        }
        steps = held(steps, &step_key("main"), noted(&step_key("main"), &spans, now));
    }
    points
}

fn minutes(held: &[Register], span: Span) -> Vec<i64> {
    TOPIC.points(span, held).iter().map(|point| point.at.0 / MINUTE_MS).collect()
}

#[test]
fn a_step_has_one_point_however_often_it_is_looked_at() {
    let [day, month] = after(0..60);
    assert_eq!(minutes(&day, Span::Day), (0..60).step_by(5).collect::<Vec<_>>());
    assert_eq!(minutes(&month, Span::Month), [0]);
}

#[test]
fn counts_come_back_exactly_and_a_gauge_is_never_rounded_up() {
    let at = |minute: i64| Millis(minute * MINUTE_MS);
    let all = [
        Values { gauges: vec![Some(0.99999), None], counts: vec![Some(u64::MAX - 1), None] },
        Values { gauges: vec![Some(1.0), Some(1234.9)], counts: vec![Some(u64::MAX), Some(7)] },
        Values { gauges: vec![None, Some(f64::INFINITY)], counts: vec![None, Some(3)] },
        Values { gauges: vec![Some(0.0), Some(0.5)], counts: vec![Some(u64::MAX), Some(9)] },
    ];
    let mut registers = vec![];
    for (number, values) in (0..).zip(&all) {
        let noted = TOPIC.note(Span::Day, &registers, values, at(100 + 5 * number));
        registers = held(registers, &TOPIC.key(Span::Day), vec![noted]);
    }
    let read: Vec<Values> = TOPIC.points(Span::Day, &registers).into_iter().map(|point| point.values).collect();
    let mut expected = all;
    expected[0].gauges[0] = Some(0.9999);
    expected[1].gauges[1] = Some(1234.0);
    expected[2].gauges[1] = None;
    assert_eq!(read, expected);
}

#[test]
fn it_is_bounded_however_long_it_goes_on() {
    let [day, month] = after((0..60 * 24 * 32).step_by(5));
    let (days, months) = (minutes(&day, Span::Day), minutes(&month, Span::Month));
    assert_eq!((days.len(), months.len()), (288, 720));
    assert_eq!(days[287] - days[0], 24 * 60 - 5);
    let bytes: usize = [day, month].iter().flatten().map(|register| register.value.len()).sum();
    assert!(bytes < 24 * 1024, "{bytes}");
}

#[test]
fn a_time_in_which_nobody_looked_has_no_points() {
    let [day, month] = after((0..10).chain(60 * 30..60 * 30 + 10));
    assert_eq!(minutes(&day, Span::Day), [60 * 30, 60 * 30 + 5], "what is older than a day has left");
    assert_eq!(minutes(&month, Span::Month).len(), 2);
}

#[test]
fn what_cannot_be_read_begins_anew() {
    for junk in ["", "junk", "1 2", "1 - - - ;", "1 a 0 0 0", "1 0 0 0 -1", "9223372036854775807 0 0 0 0"] {
        let junk = Register { field: FIELD.into(), order: vec![1], value: junk.into() };
        assert_eq!(TOPIC.points(Span::Day, &[junk]), []);
    }
    let junk = Register { field: "5m".into(), order: vec![0], value: "junk".into() };
    assert_eq!(due(&[junk], Millis(5 * MINUTE_MS)), [Span::Day, Span::Month]);
    assert!(Span::ALL.into_iter().all(|span| Span::of_name(span.name()) == Some(span)));
}

#[test]
fn a_backup_is_noted_by_topic_and_by_partition_unless_there_are_too_many() {
    let golden = include_str!("../../../fixtures/metrics/standing.json");
    let message = crate::metrics::standing::Message::decode(&serde_json::from_str(golden).unwrap()).unwrap();
    let topics = view(&registers_after([&message]), Millis(0));
    let partitions = topics["orders"].partitions.len();
    let all = of_backup("main", &topics, partitions);
    assert_eq!(all.len(), 1 + partitions);
    assert_eq!((all[0].0, all[0].1.counts[0]), (TOPIC, Some(380)));
    assert!(matches!(all[1].0, Series::Partition("main", "orders", _)));
    let counted: u64 = all[1..].iter().filter_map(|(_, values)| values.counts[0]).sum();
    assert_eq!(counted, 380, "the partitions' records are the topic's");
    assert_eq!(of_backup("main", &topics, partitions - 1).len(), 1);
}
