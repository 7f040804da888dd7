//! What goes into a segment comes out of it, and damage is noticed.
#![allow(clippy::disallowed_methods, reason = "HIGHWATER_BLESS is asked for by hand")]

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};

use super::{
    Compression, EncodedSegment, Gap, GapCause, SegmentEncoder, SegmentStart,
    decoder::{self, DecodeError},
    metadata::ChainPoint,
};
use crate::{
    chain::ChainIdentity,
    record::{Header, Millis, Offset, Record, TimestampType},
};

fn encode(groups: &[Vec<Record>], next: i64, compression: Compression) -> EncodedSegment {
    let chain = ChainIdentity::example();
    let before = ChainPoint::start(&chain);
    let mut encoder = SegmentEncoder::new(SegmentStart { chain, base: Offset(0), before }, compression).unwrap();
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
    fn a_flipped_bit_before_the_footer_is_noticed(groups in row_groups(), place in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let segment = encode(&groups, 1_000_000, Compression::Zstd(1));
        let mut damaged = segment.body.to_vec();
        let place = place.index(usize::try_from(segment.metadata.body_bytes).unwrap());
        damaged[place] ^= 1_u8 << bit;
        let result = decoder::records(damaged.into());
        prop_assert!(result.is_err(), "byte {} of {}", place, segment.body.len());
    }
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
    let Err(DecodeError::NeedsLast(bytes)) = decoder::metadata(&tail, size) else { panic!("20 bytes are not enough") };
    let tail = segment.body.slice(segment.body.len() - usize::try_from(bytes).unwrap()..);
    assert_eq!(decoder::metadata(&tail, size).unwrap(), segment.metadata);
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
    let mut encoder = SegmentEncoder::new(SegmentStart { chain, base: Offset(0), before }, Compression::None).unwrap();
    let gap = |from, to, cause| Gap { from: Offset(from), to: Offset(to), cause, declared_at: Millis(1) };
    encoder.declare(gap(0, 10, GapCause::BeforeBackup));
    encoder.declare(gap(10, 13, GapCause::BelowLogStart));
    let own = encoder.finish(Offset(13), Millis(1)).unwrap().metadata.own;
    assert_eq!((own.gaps, own.gap_offsets), (1, 3));
}

/// The file of format version 1 that every later version must still read. It was written by the first version of this
/// code; `HIGHWATER_BLESS=1` writes it again, which only a new format version may ask for.
#[test]
fn the_golden_segment_is_read_and_its_metadata_has_not_moved() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/segment/fixtures/v1.kan");
    let mut forms = golden_records();
    forms.iter_mut().zip(0..).for_each(|(record, offset)| record.offset = Offset(offset * 3));
    let segment = encode(&[forms[..2].to_vec(), forms[2..].to_vec()], 20, Compression::Zstd(1));
    if std::env::var_os("HIGHWATER_BLESS").is_some() {
        std::fs::write(path, &segment.body).unwrap();
    }
    let golden = Bytes::from(std::fs::read(path).unwrap());
    let (metadata, records) = decoder::records(golden).unwrap();
    assert_eq!(records, forms);
    assert_eq!(metadata, segment.metadata);
    insta::assert_snapshot!(serde_json::to_string_pretty(&metadata).unwrap());
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
