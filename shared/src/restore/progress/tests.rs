use super::*;

fn started() -> Started {
    Started {
        format_version: PROGRESS_VERSION,
        backup: "main".to_owned(),
        cluster_id: "kafka-1".to_owned(),
        target: "copy".into(),
        target_topic_id: "t".into(),
        started_at: Millis(1),
        fixed: Fixed {
            source: "orders".into(),
            source_topic_id: "s".into(),
            incarnation: 2,
            time: TimeRange { from: Some(Millis(5)), to: None },
            partitions: BTreeMap::from([(Partition(3), OffsetRange { from: Some(Offset(1)), until: None })]),
            filter: Some("size > 0".to_owned()),
            rehash: true,
            origin_headers: OriginHeaders { offset: Some("o".to_owned()), ..OriginHeaders::default() },
            schema_ids: None,
            clamp_timestamps: None,
        },
    }
}

fn position(next: i64) -> Position {
    Position { next: Offset(next), counts: Counts { records: 1, ..Counts::default() } }
}

fn missing(from: i64) -> Missing {
    Missing { from: Offset(from), to: Offset(from + 1), key: "a.kan".to_owned(), why: "damaged".to_owned() }
}

#[test]
fn what_was_written_is_read_again_and_the_later_position_counts() {
    let id = RestoreId::of("kafka-1", "main", &"t".into());
    let runs = |source| MappingRun { source: Offset(source), target: Offset(source + 100), count: 1 };
    let mapped = |runs| MappedRuns { target_partition: Partition(0), runs };
    let run = Run { number: 2, workers: 4, began_at: Millis(8) };
    let mut written = vec![started_record(&id, &started(), Millis(9)).unwrap()];
    written.push(run_record(&id, &run, Millis(9)).unwrap());
    for (next, source) in [(3, 0), (9, 5)] {
        let of = [mapped(vec![runs(source)])];
        written
            .extend(progress_records(&id, Partition(0), &position(next), &of, &[missing(source)], Millis(9)).unwrap());
    }
    let mut progress = Progress::default();
    written.iter().for_each(|record| progress.take(&id, record).unwrap());
    assert_eq!((progress.started, progress.run), (Some(started()), Some(run)));
    assert_eq!(progress.positions, BTreeMap::from([(Partition(0), position(9))]));
    assert_eq!(progress.mapped[&Partition(0)].len(), 2);
    assert_eq!(progress.skipped[&Partition(0)][&Offset(5)], missing(5));
}

#[test]
fn records_of_other_restores_and_foreign_ones_say_nothing() {
    let (one, other) = (RestoreId::of("k", "main", &"a".into()), RestoreId::of("k", "main", &"b".into()));
    let mut progress = Progress::default();
    progress.take(&one, &started_record(&other, &started(), Millis(9)).unwrap()).unwrap();
    let foreign = Record { key: Some("x".into()), ..started_record(&one, &started(), Millis(9)).unwrap() };
    progress.take(&one, &foreign).unwrap();
    assert_eq!(progress, Progress::default());
}

#[test]
fn a_record_of_ours_that_cannot_be_read_is_an_error() {
    let id = RestoreId::of("k", "main", &"a".into());
    let broken = Record { value: Some("{".into()), ..started_record(&id, &started(), Millis(9)).unwrap() };
    let error = Progress::default().take(&id, &broken).unwrap_err();
    assert!(error.to_string().contains("highwater-restores"), "{error}");
}

#[test]
fn many_runs_are_several_records_with_keys_of_their_own() {
    let id = RestoreId::of("k", "main", &"a".into());
    let runs = (0..20_000).map(|n| MappingRun { source: Offset(n * 2), target: Offset(n * 3), count: 1 }).collect();
    let mapped = [MappedRuns { target_partition: Partition(0), runs }];
    let records = progress_records(&id, Partition(0), &position(9), &mapped, &[], Millis(9)).unwrap();
    let keys: std::collections::BTreeSet<_> = records.iter().map(|record| record.key.clone()).collect();
    assert_eq!((records.len(), keys.len()), (4, 4));
    assert!(records.iter().all(|record| record.size_bytes() < 1_000_000));
}

#[test]
fn a_key_never_changes_its_text() {
    let id = RestoreId::of("k", "main", &"a".into());
    let key =
        ProgressKey { restore: id.clone(), record: KeyRecord::Mapping { partition: Partition(1), from: Offset(2) } };
    let expected = format!(r#"{{"restore":"{id}","record":"mapping","partition":1,"from":2}}"#);
    assert_eq!(serde_json::to_string(&key).unwrap(), expected);
}
