//! What goes into a segment comes out of it, and damage is noticed.
#![allow(clippy::disallowed_methods, reason = "HIGHWATER_BLESS is asked for by hand")]

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};

use super::{
    Compression, EncodedSegment, Gap, GapCause, SegmentEncoder, SegmentMetadata, SegmentStart, content,
    decoder::{self, DecodeError, SegmentReader},
    footer,
    metadata::{ChainPoint, SEGMENT_VERSION},
};
use crate::{
    chain::ChainIdentity,
    record::{Header, Millis, Offset, Record, TimestampType},
};

fn encode(groups: &[Vec<Record>], next: i64, compression: Compression) -> EncodedSegment {
    let chain = ChainIdentity::example();
    let before = ChainPoint::start(&chain);
    let mut encoder =
        SegmentEncoder::new(SegmentStart { chain, base: Offset(0), before, last_gap_at: None }, compression).unwrap();
    for group in groups {
        encoder.append(group).unwrap();
    }
    encoder.finish(Offset(next), Millis(1_700_000_000_000)).unwrap()
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn record() -> impl Strategy<Value = Record> {
    let timestamp_type =
        prop_oneof![Just(TimestampType::None), Just(TimestampType::CreateTime), Just(TimestampType::LogAppendTime)];
    let header = (bytes(), option::of(bytes())).prop_map(|(name, value)| Header { name, value });
    (any::<i64>(), timestamp_type, option::of(bytes()), option::of(bytes()), vec(header, 0..4)).prop_map(
        |(timestamp, timestamp_type, key, value, headers)| Record {
            offset: Offset(0),
            timestamp: Millis(timestamp),
            timestamp_type,
            key,
            value,
            headers,
        },
    )
}

/// Row groups of arbitrary records with ascending offsets.
fn row_groups() -> impl Strategy<Value = Vec<Vec<Record>>> {
    vec(vec((record(), 1_i64..1_000), 1..30), 0..4).prop_map(|mut groups| {
        let mut offset = -1;
        for (record, step) in groups.iter_mut().flatten() {
            offset += *step;
            record.offset = Offset(offset);
        }
        groups.into_iter().map(|group| group.into_iter().map(|(record, _)| record).collect()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_records_come_back_byte_for_byte(
        groups in row_groups(),
        compression in prop::sample::select(vec!["none", "lz4", "snappy", "gzip:1", "zstd:1"]),
    ) {
        let compression = compression.parse::<Compression>().unwrap();
        let segment = encode(&groups, 1_000_000, compression);
        let (metadata, records) = decoder::records(segment.body.clone()).unwrap();
        prop_assert_eq!(&records, &groups.concat());
        prop_assert_eq!(&metadata, &segment.metadata);
        prop_assert_eq!(metadata.digest, metadata.before.digest.after_all(&records));
        prop_assert_eq!(metadata.own.record_bytes, records.iter().map(Record::size_bytes).sum::<u64>());
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed(groups in row_groups(), place in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let segment = encode(&groups, 1_000_000, Compression::Zstd(1));
        let place = place.index(segment.body.len());
        let damaged = flipped(&segment.body, place, bit);
        let body_bytes = usize::try_from(segment.metadata.body_bytes).unwrap();
        let in_footer = footer::metadata(&damaged, damaged.len() as u64).is_err();
        prop_assert_eq!(in_footer, place >= body_bytes, "the footer tells of itself and of nothing else");
        prop_assert!(decoder::records(damaged).is_err(), "byte {} of {}", place, segment.body.len());
    }
}

fn flipped(body: &Bytes, place: usize, bit: u32) -> Bytes {
    let mut damaged = body.to_vec();
    damaged[place] ^= 1_u8 << bit;
    damaged.into()
}

#[test]
fn every_single_bit_of_a_file_is_under_a_checksum() {
    let segment = encode(&[golden_records()[..2].to_vec()], 20, Compression::Zstd(1));
    for place in 0..segment.body.len() {
        for bit in 0..8 {
            let result = SegmentReader::open(flipped(&segment.body, place, bit));
            assert!(result.is_err(), "bit {bit} of byte {place} of {}", segment.body.len());
        }
    }
}

#[test]
fn records_that_are_not_what_the_footer_says_are_told_one_by_one() {
    let mut records = golden_records();
    records.iter_mut().zip(0..).for_each(|(record, offset)| record.offset = Offset(offset));
    let good = SegmentReader::open(encode(&[records.clone()], 20, Compression::None).body).unwrap();
    assert_eq!(content::differences(&good).unwrap(), Vec::<String>::new());
    assert_eq!(content::contradictions(good.metadata()), Vec::<String>::new());

    let mut other = records;
    other[1].value = Some(Bytes::from_static(b"other"));
    (other[3].offset, other[3].timestamp) = (Offset(20), Millis(5));
    let claimed = good.metadata().clone();
    let reader = SegmentReader::open(encode(&[other[1..].to_vec()], 20, Compression::None).body).unwrap();
    let found = content::differences(&reader.claiming(claimed)).unwrap();
    let begin: Vec<_> = found.iter().map(|text| text.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(begin, ["3 records", "20 bytes", "timestamps from", "the digest", "a record"], "{found:#?}");
}

#[test]
fn a_footer_that_contradicts_itself_is_told_without_reading_a_record() {
    let good = encode(&[], 40, Compression::None).metadata;
    let gap =
        |from, to| Gap { from: Offset(from), to: Offset(to), cause: GapCause::BelowLogStart, declared_at: Millis(1) };
    let told = |change: &dyn Fn(&mut SegmentMetadata)| {
        let mut metadata = good.clone();
        change(&mut metadata);
        content::contradictions(&metadata).len()
    };
    assert_eq!(told(&|_| {}), 0);
    assert_eq!(told(&|it| it.next = it.base), 1);
    assert_eq!(told(&|it| it.own.filtered = 41), 1);
    assert_eq!(told(&|it| it.own.segments = 2), 1);
    assert_eq!(told(&|it| it.own.records = 1), 1);
    assert_eq!(told(&|it| it.gaps = vec![gap(0, 10)]), 1);
    assert_eq!(told(&|it| it.gaps = vec![gap(10, 20), gap(15, 30)]), 1);
    assert_eq!(told(&|it| it.gaps = vec![gap(30, 41)]), 1);
}

#[test]
fn a_segment_without_a_record_is_a_segment() {
    let segment = encode(&[], 40, Compression::default());
    let (metadata, records) = decoder::records(segment.body).unwrap();
    assert_eq!((metadata.next, metadata.timestamps, records), (Offset(40), None, vec![]));
}

#[test]
fn the_footer_alone_tells_the_metadata_and_a_short_tail_says_how_much_it_needs() {
    let segment = encode(&[], 40, Compression::default());
    let size = segment.body.len() as u64;
    let tail = segment.body.slice(segment.body.len() - 20..);
    let Err(DecodeError::NeedsLast(bytes)) = footer::metadata(&tail, size) else { panic!("20 bytes are not enough") };
    let tail = segment.body.slice(segment.body.len() - usize::try_from(bytes).unwrap()..);
    assert_eq!(footer::metadata(&tail, size).unwrap(), segment.metadata);
}

#[test]
fn bytes_that_are_no_segment_are_refused_and_never_panic() {
    let good = encode(&[], 40, Compression::default()).body;
    for cut in [0, 1, 4, 8, good.len() / 2, good.len() - 1] {
        assert!(decoder::records(good.slice(..cut)).is_err(), "the first {cut} bytes");
    }
    assert!(decoder::records(Bytes::from_static(b"PAR1 nothing at all PAR1")).is_err());
}

#[test]
fn only_losses_are_counted_as_gaps() {
    let chain = ChainIdentity::example();
    let before = ChainPoint::start(&chain);
    let mut encoder =
        SegmentEncoder::new(SegmentStart { chain, base: Offset(0), before, last_gap_at: None }, Compression::None)
            .unwrap();
    let gap = |from, to, cause| Gap { from: Offset(from), to: Offset(to), cause, declared_at: Millis(1) };
    encoder.declare(gap(0, 10, GapCause::BeforeBackup));
    encoder.declare(gap(10, 13, GapCause::BelowLogStart));
    let own = encoder.finish(Offset(13), Millis(1)).unwrap().metadata.own;
    assert_eq!((own.gaps, own.gap_offsets), (1, 3));
}

#[test]
fn a_segment_of_a_newer_version_is_called_newer_and_not_damaged() {
    let mut records = golden_records();
    records.iter_mut().zip(0..).for_each(|(record, offset)| record.offset = Offset(offset));
    let body = encode(&[records], 20, Compression::None).body.to_vec();
    let (said, newer) = (format!("\"format_version\":{SEGMENT_VERSION}"), "\"format_version\":9");
    let at = body.windows(said.len()).position(|bytes| bytes == said.as_bytes()).unwrap();
    let body = Bytes::from([&body[..at], newer.as_bytes(), &body[at + said.len()..]].concat());
    let error = footer::read(&body, body.len() as u64).unwrap_err();
    assert!(matches!(error, DecodeError::Newer(9)), "{error}");
}

#[test]
fn the_writer_of_a_file_is_named_as_other_parquet_readers_parse_it() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let file = SerializedFileReader::new(encode(&[], 20, Compression::None).body).unwrap();
    let created_by = file.metadata().file_metadata().created_by().unwrap();
    // The expression of parquet-java: application, version, build.
    let form = regex::Regex::new(r"^(.*?)\s+version\s*(?:([^(]*?)\s*(?:\(\s*build\s*([^)]*?)\s*\))?)?$").unwrap();
    let parts = form.captures(created_by).unwrap_or_else(|| panic!("{created_by:?} is not parsed"));
    assert_eq!((&parts[1], &parts[2]), ("highwater", env!("CARGO_PKG_VERSION")));
    assert!(!parts[3].is_empty());
}

/// The files that every later version must still read. They were written by the first code of their version;
/// `HIGHWATER_BLESS=1` writes that of the present one again, which only a new format version may ask for.
#[test]
fn the_golden_segments_are_read_and_their_metadata_has_not_moved() {
    let mut forms = golden_records();
    forms.iter_mut().zip(0..).for_each(|(record, offset)| record.offset = Offset(offset * 3));
    let segment = encode(&[forms[..2].to_vec(), forms[2..].to_vec()], 20, Compression::Zstd(1));
    let path = |version| format!("{}/src/segment/fixtures/v{version}.kan", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("HIGHWATER_BLESS").is_some() {
        std::fs::write(path(SEGMENT_VERSION), &segment.body).unwrap();
    }
    for version in 1..=SEGMENT_VERSION {
        let golden = Bytes::from(std::fs::read(path(version)).unwrap());
        let (metadata, records) = decoder::records(golden).unwrap();
        assert_eq!(records, forms);
        assert_eq!(metadata, SegmentMetadata { format_version: version, ..segment.metadata.clone() });
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&segment.metadata).unwrap());
}

fn golden_records() -> Vec<Record> {
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let header = |name: &'static [u8], value: Option<Bytes>| Header { name: Bytes::from_static(name), value };
    let record = |timestamp, timestamp_type, key, value, headers| Record {
        offset: Offset(0),
        timestamp: Millis(timestamp),
        timestamp_type,
        key,
        value,
        headers,
    };
    vec![
        record(1_700_000_000_000, TimestampType::CreateTime, text("order-1"), text("{\"amount\":5}"), vec![]),
        record(-1, TimestampType::None, None, None, vec![]),
        record(0, TimestampType::CreateTime, text(""), text(""), vec![header(b"", text("")), header(b"n", None)]),
        record(
            1_700_000_000_001,
            TimestampType::LogAppendTime,
            text("order-1"),
            None,
            vec![header(b"a", text("1")), header(b"a", text("2")), header(b"\xff\xfe", text("\u{0}"))],
        ),
    ]
}
