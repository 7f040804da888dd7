use super::*;
use crate::{
    archive::SegmentEntry,
    chain::{ChainDigest, ChainIdentity, Floor, Totals, keys},
    record::Offset,
    restore::{OffsetRange, TimeRange},
    segment::{
        ChainPoint, Gap, SegmentMetadata,
        metadata::{FORMAT_VERSION, SEGMENT_VERSION, TimestampRange},
    },
};

const DAY_MS: i64 = 86_400_000;
const NOW: i64 = 20_000 * DAY_MS;

/// A partition whose segments begin at the given offsets, and whose records have the age of `ages_ms`.
fn source(cuts: &[i64], youngest_ms: i64, oldest_ms: i64) -> SourcePartition {
    let chain = ChainIdentity::example();
    let mut digest = ChainDigest::start(&chain);
    let segment = |cut: &[i64]| {
        let (base, next) = (cut[0], cut[1]);
        let before = ChainPoint { totals: Totals::default(), digest };
        digest = digest.after(&crate::record::Record {
            offset: Offset(base),
            timestamp: Millis(1),
            timestamp_type: crate::record::TimestampType::CreateTime,
            key: None,
            value: None,
            headers: vec![],
        });
        let records = u64::try_from(next - base).unwrap();
        let metadata = SegmentMetadata {
            format_version: SEGMENT_VERSION,
            chain: chain.clone(),
            base: Offset(base),
            next: Offset(next),
            written_at: Millis(NOW),
            timestamps: Some(TimestampRange { min: Millis(NOW - oldest_ms), max: Millis(NOW - youngest_ms) }),
            before,
            own: Totals { records, record_bytes: 10 * records, segments: 1, ..Totals::default() },
            digest,
            gaps: vec![],
            last_gap_at: None,
            last_read: None,
            sealed_by: None,
            cuts: 0,
            body_crc32c: 0,
            body_bytes: 900,
        };
        let key = keys::segment(&chain, Offset(base));
        SourceSegment { entry: SegmentEntry { key, base: Offset(base), cuts: 0, size_bytes: 1_000 }, metadata }
    };
    let segments: Vec<_> = cuts.windows(2).map(segment).collect();
    let before = ChainPoint::start(&chain);
    let floor = Floor { format_version: FORMAT_VERSION, base: Offset(0), before, seal: None, losses: 0 };
    let first = segments.first().map(|segment| segment.entry.clone());
    SourcePartition { next: Offset(*cuts.last().unwrap()), chain, floor, first, segments, damaged: vec![] }
}

fn fixed() -> Fixed {
    Fixed {
        source: "orders".into(),
        source_topic_id: "source-id".into(),
        incarnation: 1,
        time: TimeRange::default(),
        partitions: BTreeMap::new(),
        filter: None,
        rehash: false,
        origin_headers: crate::restore::OriginHeaders::default(),
        schema_ids: None,
        clamp_timestamps: None,
    }
}

fn target() -> TargetTopic {
    let settings = [("retention.ms", "-1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    TargetTopic {
        id: "target-id".into(),
        partitions: 1,
        is_empty: true,
        settings: settings.into_iter().collect(),
        progress: Progress::default(),
    }
}

/// What may be changed in a case.
struct Case {
    source: SourcePartition,
    selection: Selection,
    target: Option<TargetTopic>,
    fixed: Fixed,
    append: bool,
    accept_missing: bool,
    create: bool,
}

impl Case {
    fn new() -> Self {
        Case {
            source: source(&[0, 10, 20], 0, 1_000),
            selection: Selection::default(),
            target: Some(target()),
            fixed: fixed(),
            append: false,
            accept_missing: false,
            create: true,
        }
    }

    fn setting(mut self, name: &str, value: &str) -> Self {
        let target = self.target.as_mut().unwrap();
        target.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    fn findings(&self) -> Vec<Finding> {
        preflight(&Facts {
            fixed: &self.fixed,
            target_name: "copy",
            source: std::slice::from_ref(&self.source),
            source_partitions: 1,
            needed_partitions: 1,
            selections: &BTreeMap::from([(Partition(0), self.selection.clone())]),
            target: self.target.as_ref(),
            append: self.append,
            accept_missing: self.accept_missing,
            skip_damaged: false,
            create: self.create,
            created_settings: &TopicSettings::new(),
            now: Millis(NOW),
        })
    }

    fn kinds(&self) -> Vec<(Severity, Kind)> {
        self.findings().into_iter().map(|finding| (finding.severity, finding.kind)).collect()
    }
}

fn refused(kind: Kind) -> Vec<(Severity, Kind)> {
    vec![(Severity::Refused, kind)]
}

fn noted(kind: Kind) -> Vec<(Severity, Kind)> {
    vec![(Severity::Note, kind)]
}

#[test]
fn an_empty_target_that_keeps_everything_stands_in_no_way() {
    assert_eq!(Case::new().findings(), []);
    assert_eq!(Case { target: None, ..Case::new() }.findings(), []);
}

#[test]
fn a_target_must_be_there_or_may_be_created() {
    assert_eq!(Case { target: None, create: false, ..Case::new() }.kinds(), refused(Kind::TargetMissing));
}

#[test]
fn a_target_with_records_of_others_is_refused_unless_it_is_added_to() {
    let filled = || Some(TargetTopic { is_empty: false, ..target() });
    assert_eq!(Case { target: filled(), ..Case::new() }.kinds(), refused(Kind::TargetNotEmpty));
    assert_eq!(Case { target: filled(), append: true, ..Case::new() }.kinds(), []);
}

#[test]
fn the_topic_that_was_backed_up_is_no_target() {
    let same = Some(TargetTopic { id: "source-id".into(), is_empty: false, ..target() });
    assert_eq!(Case { target: same, append: true, ..Case::new() }.kinds(), refused(Kind::TargetIsSource));
}

#[test]
fn a_restore_goes_on_with_its_plan_and_with_no_other() {
    let begun = |fixed: Fixed| {
        let started = crate::restore::Started {
            format_version: 1,
            backup: "main".to_owned(),
            cluster_id: "c".to_owned(),
            target: "copy".into(),
            target_topic_id: "target-id".into(),
            started_at: Millis(1),
            fixed,
        };
        let progress = Progress { started: Some(started), ..Progress::default() };
        Some(TargetTopic { is_empty: false, progress, ..target() })
    };
    assert_eq!(Case { target: begun(fixed()), ..Case::new() }.kinds(), []);
    let other = Fixed { filter: Some("size > 1".to_owned()), ..fixed() };
    assert_eq!(Case { target: begun(other), ..Case::new() }.kinds(), refused(Kind::OtherPlan));
}

#[test]
fn too_few_partitions_are_refused_and_more_are_said() {
    let with = |partitions| Case { target: Some(TargetTopic { partitions, ..target() }), ..Case::new() }.kinds();
    assert_eq!(with(0), refused(Kind::TargetPartitions));
    assert_eq!(with(2), noted(Kind::TargetPartitions));
}

#[test]
fn a_missing_segment_is_named_with_its_offsets() {
    let mut case = Case { source: source(&[0, 10, 20, 30], 0, 1_000), ..Case::new() };
    case.source.segments.remove(1);
    assert_eq!(case.kinds(), refused(Kind::Damaged));
    let message = &case.findings()[0].message;
    assert!(message.contains("offsets 10 to 20: no segment holds them"), "{message}");
}

#[test]
fn a_missing_first_segment_is_found_too() {
    let mut case = Case { source: source(&[0, 10, 20], 0, 1_000), ..Case::new() };
    case.source.segments.remove(0);
    case.source.first = Some(case.source.segments[0].entry.clone());
    assert_eq!(case.kinds(), refused(Kind::Damaged));
}

#[test]
fn a_declared_gap_in_the_range_must_be_accepted() {
    let gap = |cause| Gap { from: Offset(12), to: Offset(15), cause, declared_at: Millis(1) };
    let case = |cause, accept_missing, until: i64| {
        let offsets = OffsetRange { from: None, until: Some(Offset(until)) };
        let mut case = Case { accept_missing, selection: Selection { offsets, ..Selection::default() }, ..Case::new() };
        case.source.segments[1].metadata.gaps.push(gap(cause));
        case.kinds()
    };
    assert_eq!(case(GapCause::BelowLogStart, false, 20), refused(Kind::Gap));
    assert_eq!(case(GapCause::BelowLogStart, true, 20), noted(Kind::Gap));
    assert_eq!(case(GapCause::BeforeBackup, false, 20), noted(Kind::Gap));
    assert_eq!(case(GapCause::BelowLogStart, false, 12), []);
}

#[test]
fn what_has_expired_is_said_and_refused_where_it_was_asked_for() {
    let case = |from: Option<i64>, accept_missing| {
        let offsets = OffsetRange { from: from.map(Offset), until: None };
        let mut case = Case { accept_missing, selection: Selection { offsets, ..Selection::default() }, ..Case::new() };
        case.source.segments.remove(0);
        case.source.first = Some(case.source.segments[0].entry.clone());
        case.source.floor.base = Offset(10);
        case.kinds()
    };
    assert_eq!(case(None, false), noted(Kind::Expired));
    assert_eq!(case(Some(5), false), refused(Kind::Expired));
    assert_eq!(case(Some(5), true), noted(Kind::Expired));
    assert_eq!(case(Some(10), false), []);
}

#[test]
fn a_time_behind_the_last_record_restores_nothing_and_says_so() {
    let time = TimeRange { from: Some(Millis(NOW + 1)), to: None };
    let case = Case { selection: Selection { time, ..Selection::default() }, ..Case::new() };
    assert_eq!(case.kinds(), noted(Kind::NothingThere));
    assert!(case.findings()[0].message.contains("offset 20"));
}

#[test]
fn old_records_are_refused_where_the_target_would_delete_them() {
    let week = (7 * DAY_MS).to_string();
    let old = || Case { source: source(&[0, 10], DAY_MS, 30 * DAY_MS), ..Case::new() };
    assert_eq!(old().setting("retention.ms", &week).kinds(), refused(Kind::Retention));
    let young = Case { source: source(&[0, 10], 0, DAY_MS), ..Case::new() };
    assert_eq!(young.setting("retention.ms", &week).kinds(), []);
    assert_eq!(Case::new().setting("retention.bytes", "50").kinds(), refused(Kind::Retention));
    let undated = Case { source: source(&[0, 10], DAY_MS, NOW + 1), ..Case::new() };
    assert_eq!(
        undated.setting("retention.ms", &week).kinds(),
        [],
        "kafka keeps what has no timestamp by when it was written"
    );
}

#[test]
fn timestamps_that_the_target_refuses_are_told_before() {
    let ahead = || Case { source: source(&[0, 10], -2 * 3_600_000, 0), ..Case::new() };
    assert_eq!(ahead().kinds(), refused(Kind::Timestamps), "kafka 4 allows an hour by default");
    assert_eq!(ahead().setting("message.timestamp.after.max.ms", &i64::MAX.to_string()).kinds(), []);
    let old = || Case { source: source(&[0, 10], 0, 2 * DAY_MS), ..Case::new() };
    let day = DAY_MS.to_string();
    assert_eq!(old().setting("message.timestamp.before.max.ms", &day).kinds(), refused(Kind::Timestamps));
    assert_eq!(Case::new().setting("message.timestamp.type", "LogAppendTime").kinds(), refused(Kind::Timestamps));
}

#[test]
fn timestamps_that_are_moved_to_what_the_target_takes_are_a_note() {
    let fixed = || Fixed { clamp_timestamps: Some("was".to_owned()), ..fixed() };
    for (range, setting) in [((-2 * 3_600_000, 0), None), ((0, 2 * DAY_MS), Some(DAY_MS.to_string())), ((0, NOW), None)]
    {
        let case = Case { fixed: fixed(), source: source(&[0, 10], range.0, range.1), ..Case::new() };
        let case = match &setting {
            Some(day) => case.setting("message.timestamp.before.max.ms", day),
            None => case,
        };
        assert_eq!(case.kinds(), noted(Kind::Timestamps));
    }
}

#[test]
fn a_timestamp_of_zero_cannot_be_written() {
    let zero = Case { source: source(&[0, 10], 0, NOW), ..Case::new() };
    assert_eq!(zero.kinds(), refused(Kind::Timestamps));
    let later = TimeRange { from: Some(Millis(1)), to: None };
    let without = Case { selection: Selection { time: later, ..Selection::default() }, ..zero };
    assert_eq!(without.kinds(), []);
}

#[test]
fn with_a_filter_nobody_knows_before_what_is_in_the_way() {
    let filter = crate::record::filter::Filter::compile("size > 0").unwrap();
    let selection = Selection { filter: Some(std::sync::Arc::new(filter)), ..Selection::default() };
    let zero = Case { source: source(&[0, 10], 0, NOW), selection, ..Case::new() };
    assert_eq!(zero.kinds(), noted(Kind::Timestamps));
}

#[test]
fn records_larger_than_the_target_takes_are_refused() {
    let mut case = Case::new().setting("max.message.bytes", "100");
    assert_eq!(case.kinds(), []);
    case.source.segments[0].metadata.own.record_bytes = 10 * 101;
    assert_eq!(case.kinds(), refused(Kind::MessageBytes));
}

#[test]
fn a_target_that_compacts_is_told() {
    assert_eq!(Case::new().setting("cleanup.policy", "compact").kinds(), noted(Kind::Compaction));
}

#[test]
fn a_partition_that_the_backup_does_not_hold_is_refused() {
    let partitions = BTreeMap::from([(Partition(0), OffsetRange::default()), (Partition(7), OffsetRange::default())]);
    let case = Case { fixed: Fixed { partitions, ..fixed() }, ..Case::new() };
    assert_eq!(case.kinds(), refused(Kind::UnknownPartition));
}
