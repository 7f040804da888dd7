//! Segments of every compression, read by programs that are not ours.

use std::{path::Path, process::Command};

use integration_tests::programs;
use shared::{
    chain::{ChainDigest, ChainIdentity, Totals},
    record::{Header, Millis, Offset, Partition, Record, TimestampType},
    segment::{ChainPoint, SegmentEncoder, SegmentStart},
};

const RECORDS: i64 = 1_000;
/// As it is configured, and as Parquet names it.
const COMPRESSIONS: [(&str, &str); 5] =
    [("none", "UNCOMPRESSED"), ("lz4", "LZ4"), ("snappy", "SNAPPY"), ("gzip:1", "GZIP"), ("zstd:1", "ZSTD")];

/// Prints for each file: its name, the codec of the values, and what DuckDB and pyarrow count and sum.
const READ: &str = r#"
import sys, pathlib, duckdb, pyarrow.parquet as pq
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    counted = duckdb.sql(f"SELECT count(*), sum(octet_length(value))::BIGINT, sum(len(headers))::BIGINT FROM read_parquet('{path}')").fetchall()[0]
    table = pq.read_table(path)
    own = (table.num_rows, sum(len(value.as_py()) for value in table['value']), sum(len(h.as_py()) for h in table['headers']))
    group = pq.ParquetFile(path).metadata.row_group(0)
    codecs = {group.column(n).path_in_schema: group.column(n).compression for n in range(group.num_columns)}
    print(path.name, codecs['value'], *counted, *own)
"#;

fn record(n: i64) -> Record {
    Record {
        offset: Offset(n),
        timestamp: Millis(1_700_000_000_000 + n),
        timestamp_type: TimestampType::CreateTime,
        key: Some(format!("key {n}").into()),
        value: Some("a value that is said again and again ".repeat(3).into()),
        headers: vec![Header { name: "h".into(), value: None }],
    }
}

fn write(folder: &Path, compression: &str) {
    let chain = ChainIdentity {
        cluster_id: "cluster".to_owned(),
        backup: "main".to_owned(),
        topic: "orders".into(),
        topic_id: "id".into(),
        incarnation: 1,
        partition: Partition(0),
    };
    let before = ChainPoint { totals: Totals::default(), digest: ChainDigest::start(&chain) };
    let start = SegmentStart { chain, base: Offset(0), before, last_gap_at: None };
    let mut encoder = SegmentEncoder::new(start, compression.parse().expect("a compression")).expect("an encoder");
    let records: Vec<Record> = (0..RECORDS).map(record).collect();
    encoder.append(&records).expect("records are encoded");
    let segment = encoder.finish(Offset(RECORDS), Millis(0)).expect("the segment is closed");
    std::fs::write(folder.join(compression), segment.body).expect("the segment as a file");
}

#[test]
fn duckdb_and_pyarrow_read_segments_of_every_compression() {
    let folder = tempfile::tempdir().expect("a folder");
    COMPRESSIONS.iter().for_each(|(compression, _)| write(folder.path(), compression));

    let output = Command::new(programs::python_tool("python")).args(["-c", READ]).arg(folder.path()).output();
    let output = output.expect("python with duckdb and pyarrow");

    let mut expected: Vec<String> = COMPRESSIONS
        .iter()
        .map(|(compression, codec)| format!("{compression} {codec} 1000 111000 1000 1000 111000 1000"))
        .collect();
    expected.sort();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{}", String::from_utf8_lossy(&output.stderr));
}
