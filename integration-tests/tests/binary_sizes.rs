//! What the functions' binaries hold: the linker leaves out the clients that a function does not use. No Cargo feature does.

use std::fs;

use integration_tests::programs::binary;

/// Names that only a client's own code has, as they stand among a binary's symbols.
const KAFKA: &str = "7rdkafka";
const MSK: &str = "13aws_sdk_kafka";
const REDIS: &str = "5redis3aio";
const STORAGE_WRITES: &str = "10put_object";
const SEGMENT_FILES: &str = "7parquet4file6writer";

/// A binary's bytes, and how many of them are loaded when it runs: symbols and debug information are not.
struct Binary {
    name: &'static str,
    bytes: Vec<u8>,
    loaded: u64,
}

impl Binary {
    fn read(name: &'static str) -> Binary {
        let bytes = fs::read(binary(name)).expect("the binary can be read");
        let loaded = loaded_bytes(&bytes);
        println!("{name}: {loaded} bytes");
        Binary { name, bytes, loaded }
    }

    /// Whether it holds each of these, and none of the others.
    fn check(&self, wanted: &[&str]) {
        for mark in [KAFKA, MSK, REDIS, STORAGE_WRITES, SEGMENT_FILES] {
            let held = self.bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
            assert_eq!(held, wanted.contains(&mark), "{mark} in {}", self.name);
        }
    }
}

/// The sum of the loaded segments in the file: an ELF file's program headers of type PT_LOAD.
fn loaded_bytes(elf: &[u8]) -> u64 {
    assert_eq!(&elf[..5], b"\x7fELF\x02", "a 64-bit ELF file");
    let number = |at: usize, bytes: usize| {
        elf[at..at + bytes].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let headers = (0..count).map(|index| usize::try_from(table + index * size).expect("an offset in the file"));
    headers.filter(|header| number(*header, 4) == 1).map(|header| number(header + 32, 8)).sum()
}

#[test]
fn a_function_holds_the_clients_that_it_uses_and_no_others() {
    Binary::read("segment-writer").check(&[KAFKA, MSK, REDIS, STORAGE_WRITES, SEGMENT_FILES]);
    Binary::read("segment-expirer").check(&[REDIS, STORAGE_WRITES]);
    Binary::read("backup-verifier").check(&[KAFKA, MSK, REDIS, STORAGE_WRITES]);
    Binary::read("segment-restorer").check(&[KAFKA, MSK, REDIS, STORAGE_WRITES]);
    Binary::read("cluster-archiver").check(&[KAFKA, MSK, REDIS, STORAGE_WRITES]);
    Binary::read("schema-archiver").check(&[REDIS, STORAGE_WRITES]);
    Binary::read("lag-monitor").check(&[KAFKA, MSK, REDIS, STORAGE_WRITES]);
    Binary::read("metrics-consumer").check(&[KAFKA, MSK, REDIS]);
    Binary::read("metrics-aggregator").check(&[REDIS]);
    Binary::read("metrics-query").check(&[REDIS]);
    Binary::read("object-replicator").check(&[KAFKA, MSK, REDIS, STORAGE_WRITES]);
    Binary::read("backup-control").check(&[STORAGE_WRITES]);
    Binary::read("metrics-gateway").check(&[KAFKA, MSK]);
    Binary::read("segment-browser").check(&[STORAGE_WRITES]);
}

#[test]
fn what_serves_figures_is_far_smaller_than_what_writes_segments() {
    let loaded = |name| Binary::read(name).loaded;
    let (writer, all) = (loaded("segment-writer"), loaded("highwater"));
    for name in ["segment-expirer", "metrics-aggregator", "metrics-query"] {
        assert!(loaded(name) * 10 < writer * 8, "{name} has lost none of the clients that it does not use");
    }
    for name in ["segment-writer", "lag-monitor", "metrics-consumer"] {
        assert!(loaded(name) < all, "{name} is as large as what hosts every function");
    }
}
