use super::{
    figures::{Compared, Figures, compare_figures},
    *,
};
use crate::{
    chain::ChainDigest,
    record::{Record, TimestampType},
    segment::metadata::{FORMAT_VERSION, SEGMENT_VERSION},
};

const SIZE_BYTES: u64 = 1_000;

fn floor() -> Floor {
    let chain = ChainIdentity::example();
    Floor { format_version: FORMAT_VERSION, base: Offset(0), before: ChainPoint::start(&chain), seal: None, losses: 0 }
}

fn digest_after(digest: ChainDigest, base: i64, next: i64) -> ChainDigest {
    let record = |offset| Record {
        offset: Offset(offset),
        timestamp: Millis(offset),
        timestamp_type: TimestampType::CreateTime,
        key: None,
        value: None,
        headers: vec![],
    };
    (base..next).map(record).fold(digest, |digest, record| digest.after(&record))
}

/// A chain whose segments begin at the given offsets and reach to the next one.
fn chain(cuts: &[i64]) -> Vec<Listed> {
    let identity = ChainIdentity::example();
    let mut point = ChainPoint::start(&identity);
    cuts.windows(2)
        .map(|cut| {
            let (base, next) = (cut[0], cut[1]);
            let records = u64::try_from(next - base).unwrap();
            let metadata = SegmentMetadata {
                format_version: SEGMENT_VERSION,
                chain: identity.clone(),
                base: Offset(base),
                next: Offset(next),
                written_at: Millis(next),
                timestamps: Some(TimestampRange { min: Millis(base), max: Millis(next - 1) }),
                before: point,
                own: Totals { records, record_bytes: 10 * records, segments: 1, ..Totals::default() },
                digest: digest_after(point.digest, base, next),
                last_read: None,
                gaps: vec![],
                last_gap_at: None,
                sealed_by: None,
                cuts: 0,
                body_crc32c: 0,
                body_bytes: 900,
            };
            point = metadata.after(SIZE_BYTES);
            let key = keys::segment(&identity, Offset(base));
            Listed {
                key,
                base: Offset(base),
                cuts: 0,
                size_bytes: SIZE_BYTES,
                metadata: Ok(metadata),
                content: vec![],
                seal: None,
            }
        })
        .collect()
}

fn check(floor: &Floor, segments: Vec<Listed>) -> ChainReport {
    let mut check = ChainCheck::new(ChainIdentity::example(), floor.clone(), Cuts::default());
    segments.into_iter().for_each(|segment| check.segment(segment));
    check.finish()
}

fn kinds(findings: &[Finding]) -> Vec<(FindingKind, Option<i64>, Option<i64>)> {
    findings.iter().map(|f| (f.kind, f.from.map(|o| o.0), f.to.map(|o| o.0))).collect()
}

#[test]
fn a_whole_chain_has_no_findings_and_sums_up() {
    let report = check(&floor(), chain(&[0, 10, 25, 40]));
    assert_eq!(report.findings, []);
    assert_eq!((report.start, report.next), (Offset(0), Offset(40)));
    assert_eq!((report.present.records, report.present.segments, report.present.stored_bytes), (40, 3, 3_000));
    assert_eq!(report.timestamps, Some(TimestampRange { min: Millis(0), max: Millis(39) }));
}

#[test]
fn a_segment_missing_in_the_middle_is_a_missing_range() {
    let mut segments = chain(&[0, 10, 25, 40]);
    segments.remove(1);
    assert_eq!(kinds(&check(&floor(), segments).findings), [(FindingKind::MissingRange, Some(10), Some(25))]);
}

#[test]
fn a_segment_missing_at_the_start_is_a_missing_range_too() {
    let mut segments = chain(&[0, 10, 25]);
    segments.remove(0);
    assert_eq!(kinds(&check(&floor(), segments).findings), [(FindingKind::MissingRange, Some(0), Some(10))]);
}

#[test]
fn a_segment_that_begins_below_the_frontier_overlaps() {
    let mut segments = chain(&[0, 10, 25]);
    let mut other = chain(&[0, 7, 25]);
    segments.insert(1, other.remove(1));
    segments.remove(2);
    assert_eq!(kinds(&check(&floor(), segments).findings), [(FindingKind::Overlap, Some(7), Some(10))]);
}

#[test]
fn a_segment_replaced_by_another_of_the_same_range_is_found_by_the_next_one() {
    let mut segments = chain(&[0, 10, 25, 40]);
    let metadata = segments[1].metadata.as_mut().unwrap();
    metadata.own.record_bytes += 1;
    metadata.digest = digest_after(metadata.digest, 100, 101);
    let found = kinds(&check(&floor(), segments).findings);
    assert_eq!(found, [(FindingKind::Totals, Some(25), Some(40)), (FindingKind::Digest, Some(25), Some(40))]);
}

#[test]
fn an_object_of_another_size_shows_in_the_totals_of_the_next_segment() {
    let mut segments = chain(&[0, 10, 25]);
    segments[0].size_bytes += 1;
    assert_eq!(kinds(&check(&floor(), segments).findings), [(FindingKind::Totals, Some(10), Some(25))]);
}

#[test]
fn a_segment_that_cannot_be_read_is_one_finding_and_hides_none_behind_the_next() {
    let mut segments = chain(&[0, 10, 25, 40, 50]);
    let damaged = Finding::of_object(FindingKind::Damaged, segments[1].key.clone(), "not a readable parquet file");
    segments[1].metadata = Err(damaged.clone());
    segments.remove(3);
    let report = check(&floor(), segments);
    assert_eq!(report.findings, [damaged]);
    assert_eq!(report.next, Offset(40));
}

#[test]
fn what_lies_below_the_floor_is_expired_and_the_chain_begins_at_the_floor() {
    let segments = chain(&[0, 10, 25, 40]);
    let before = segments[1].metadata.as_ref().unwrap().before;
    let raised = Floor { base: Offset(10), before, ..floor() };
    let report = check(&raised, segments);
    assert_eq!(report.findings, []);
    assert_eq!((report.expired_segments, report.present.records, report.point.totals.records), (1, 30, 40));
}

#[test]
fn a_superseded_segment_is_noted_and_counts_nothing_wherever_it_lies() {
    let superseded = chain(&[0, 20, 37]).remove(1);
    for at in [25, 37, 40] {
        let mut check = ChainCheck::new(ChainIdentity::example(), floor(), Cuts::at(vec![Offset(10)]));
        let mut segments = chain(&[0, 10, 25, 40]);
        segments.iter_mut().skip(1).for_each(|listed| listed.cuts = 1);
        segments.push(Listed { base: Offset(at), ..superseded.clone() });
        segments.sort_by_key(|listed| listed.base);
        segments.into_iter().for_each(|listed| check.segment(listed));
        let report = check.finish();
        assert_eq!((report.findings, report.next, report.present.records), (vec![], Offset(40), 40));
        assert_eq!(kinds(&report.notes), [(FindingKind::Superseded, Some(at), Some(37))]);
    }
}

#[test]
fn a_floor_that_no_segment_begins_at_is_found() {
    let raised = Floor { base: Offset(12), ..floor() };
    assert_eq!(kinds(&check(&raised, chain(&[0, 10, 25])).findings), [(FindingKind::MissingTail, None, None)]);
    let found = kinds(&check(&raised, chain(&[0, 10, 25, 40])).findings);
    assert_eq!(found, [(FindingKind::Floor, Some(12), Some(25))]);
}

#[test]
fn a_floor_with_nothing_behind_it_is_well_where_that_loss_was_accepted() {
    let raised = Floor { base: Offset(12), ..floor() };
    let mut check = ChainCheck::new(ChainIdentity::example(), raised.clone(), Cuts::default());
    check.floor_may_be_bare();
    assert_eq!(check.finish().findings, []);
}

#[test]
fn a_chain_that_ends_below_a_witness_has_lost_its_tail() {
    let witness = Witness { who: "the committed offset of group highwater.main", next: Offset(40) };
    let finding = missing_tail("main/orders/1/0/", Offset(25), witness).unwrap();
    assert_eq!(finding.detail, "the backup ends at 25, and the committed offset of group highwater.main is 40");
    assert_eq!((finding.from, finding.to), (Some(Offset(25)), Some(Offset(40))));
    assert_eq!(missing_tail("main/orders/1/0/", Offset(40), witness), None);
    let nothing_there = missing_tail("main/orders/1/0/", Offset(0), witness).unwrap().detail;
    assert!(nothing_there.ends_with("storage.url or the name of the backup is not that of before"), "{nothing_there}");
}

#[test]
fn figures_must_not_be_behind_the_storage_nor_differ_from_it() {
    let report = check(&floor(), chain(&[0, 10, 25]));
    let head = |next: i64, point| Figures {
        topic_id: Some(ChainIdentity::example().topic_id),
        head: Some((Offset(next), point)),
        floor: Some((Offset(0), Totals::default())),
    };
    let wrong = |figures| compare_figures(&report, &floor(), &figures).wrong;
    let missing = |figures| compare_figures(&report, &floor(), &figures).missing;
    assert_eq!(compare_figures(&report, &floor(), &head(25, report.point)), Compared::default());
    let written_since = compare_figures(&report, &floor(), &head(26, floor().before));
    assert_eq!(written_since, Compared::default(), "written since it was listed");
    assert_eq!(kinds(&wrong(head(10, report.point))), [(FindingKind::Metrics, Some(10), Some(25))]);
    assert_eq!(wrong(head(25, floor().before)).len(), 1);
    assert_eq!(wrong(Figures { topic_id: Some("other".into()), ..head(25, report.point) }).len(), 1);
    assert_eq!(wrong(Figures { floor: Some((Offset(0), report.point.totals)), ..head(25, report.point) }).len(), 1);
    assert_eq!((missing(Figures::default()).len(), wrong(Figures::default())), (1, vec![]));
    assert_eq!(missing(Figures { floor: None, ..head(25, report.point) }).len(), 1);
    assert_eq!(missing(Figures { topic_id: None, ..head(25, report.point) }).len(), 1);
}
