//! Bytes that somebody else wrote: whatever they are, reading them gives an answer or an error, and never a panic.
//!
//! Each target has a corpus: real inputs, and those that once made it panic (`corpus/<target>/`). A run replays the corpus and
//! reads inputs that are made of it (`mutate`). `HIGHWATER_TEST_SEEDS=100000`, as `./just soak` has it, reads 10,000,000;
//! `HIGHWATER_TEST_SEED=17` reads input 17 of each target.

mod mutate;
mod targets;

use std::panic::catch_unwind;

use integration_tests::replay::number;

use self::targets::{CONTROL_OBJECTS, HTTP_REQUESTS, KAFKA_EVENTS, METRICS_MESSAGES, SEGMENTS, Target};

const SEEDS: u64 = 100;

fn fuzz(target: &Target) {
    let corpus = target.corpus();
    let numbers = match number("HIGHWATER_TEST_SEED") {
        Some(number) => number..number + 1,
        None => {
            corpus.iter().for_each(|(name, input)| read(target, name, input));
            0..number("HIGHWATER_TEST_SEEDS").unwrap_or(SEEDS) * target.inputs_per_seed
        }
    };
    for number in numbers {
        read(target, &number.to_string(), &mutate::input(&corpus, number));
    }
}

fn read(target: &Target, name: &str, input: &[u8]) {
    if catch_unwind(|| (target.read)(input)).is_err() {
        let kept = std::env::temp_dir().join(format!("{}-{name}", target.name));
        std::fs::write(&kept, input).expect("the input can be kept");
        panic!(
            "input {name} makes {} panic. It is kept as {}: copy it to integration-tests/corpus/{}/ when the cause is mended",
            target.name,
            kept.display(),
            target.name
        );
    }
}

#[test]
fn no_kafka_event_makes_a_function_panic() {
    fuzz(&KAFKA_EVENTS);
}

#[test]
fn no_segment_makes_a_reader_panic() {
    fuzz(&SEGMENTS);
}

#[test]
fn no_message_of_the_metrics_or_the_replication_topic_makes_a_consumer_panic() {
    fuzz(&METRICS_MESSAGES);
}

#[test]
fn no_request_makes_a_route_panic() {
    fuzz(&HTTP_REQUESTS);
}

#[test]
fn no_control_object_makes_a_reader_of_backups_panic() {
    fuzz(&CONTROL_OBJECTS);
}

#[test]
fn a_target_that_panics_is_found_and_the_input_is_kept() {
    let folders = &["shared/fixtures/metrics"];
    let planted = Target { name: "planted", folders, inputs_per_seed: 1, read: |_| panic!("planted") };
    assert!(catch_unwind(|| fuzz(&planted)).is_err());
    let (name, input) = planted.corpus().remove(0);
    let kept = std::env::temp_dir().join(format!("planted-{name}"));
    assert_eq!(std::fs::read(&kept).expect("the input is kept"), input);
    std::fs::remove_file(kept).expect("it is there");
}
