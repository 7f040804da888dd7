//! Whatever happens on the way, every record is stored exactly once and the meter agrees with the storage.
//!
//! `HIGHWATER_TEST_SEEDS=1000` runs more seeds, `HIGHWATER_TEST_SEED=17` replays one.

use std::io::Write as _;

use integration_tests::{
    replay::number,
    simulation::{Expired, Guards, run},
};
use segment_writer::Protections;

/// Seeds for which a missing protection must show, at least one of them.
const BITES_WITHIN: u64 = 1_000;
/// Who runs many seeds sees how far that is.
const TELL_EVERY: u64 = 2_000;

fn seeds() -> std::ops::Range<u64> {
    match number("HIGHWATER_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HIGHWATER_TEST_SEEDS").unwrap_or(200),
    }
}

/// Runs a history; one that fails or panics is told at once, and not only when the last of many is over.
fn run_and_tell(seed: u64) -> Result<Expired, String> {
    if seed % TELL_EVERY == TELL_EVERY - 1 {
        writeln!(std::io::stderr(), "seed {seed}").expect("standard error can be written");
    }
    let ran = std::panic::catch_unwind(|| run(seed, Guards::ALL)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", said.unwrap_or_default()))
    });
    if let Err(violation) = &ran {
        // Past the test framework, which keeps output to itself until the end.
        writeln!(std::io::stderr(), "HIGHWATER_TEST_SEED={seed}: {violation}").expect("standard error can be written");
    }
    ran
}

#[test]
fn no_record_is_lost_or_repeated_and_the_meter_agrees_whatever_happens() {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let of_thread = move |first: u64| -> Vec<_> {
        seeds().filter(|seed| seed % threads == first).map(|seed| (seed, run_and_tell(seed))).collect()
    };
    let workers: Vec<_> = (0..threads).map(|first| std::thread::spawn(move || of_thread(first))).collect();
    let runs: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().expect("panics are caught")).collect();
    let failed: Vec<String> = runs
        .iter()
        .filter_map(|(seed, run)| {
            run.as_ref().err().map(|violation| format!("HIGHWATER_TEST_SEED={seed}: {violation}"))
        })
        .collect();
    let sum = |of: fn(&Expired) -> usize| runs.iter().filter_map(|(_, run)| run.as_ref().ok()).map(of).sum::<usize>();
    let (floors, deleted) = (sum(|it| it.floors), sum(|it| it.deleted));
    let (late, read, verified) = (sum(|it| it.late), sum(|it| it.read), sum(|it| it.verified));
    let (lost, superseded, diverged) = (sum(|it| it.lost), sum(|it| it.superseded), sum(|it| it.diverged));
    println!(
        "{} seeds ran: floors moved {floors} times, {deleted} segments were deleted, {late} came too late, {read} were read, verified {verified} times; {lost} tails went missing, {superseded} segments came behind that; {diverged} logs went back behind their backup",
        runs.len()
    );
    assert!(failed.is_empty(), "{} seeds fail:\n{}", failed.len(), failed.join("\n"));
    if runs.len() > 100 {
        assert!(
            [floors, deleted, late, read, verified, lost, superseded, diverged].iter().all(|count| *count > 0),
            "nothing expires here"
        );
    }
}

/// The first seed that notices that a protection is missing.
fn bites(guards: Guards) {
    let bitten = (0..BITES_WITHIN).find_map(|seed| run(seed, guards).err().map(|violation| (seed, violation)));
    let (seed, violation) = bitten.expect("no seed notices that the protection is missing");
    println!("seed {seed} notices: {violation}");
}

#[test]
fn without_compare_and_set_the_simulation_fails() {
    bites(Guards { compare_and_set: false, ..Guards::ALL });
}

#[test]
fn without_the_topic_id_check_the_simulation_fails() {
    bites(Guards { writer: Protections { topic_id_check: false, ..Protections::ALL }, ..Guards::ALL });
}

#[test]
fn without_commits_behind_durable_segments_the_simulation_fails() {
    bites(Guards { writer: Protections { commit_after_durable: false, ..Protections::ALL }, ..Guards::ALL });
}

#[test]
fn without_a_floor_that_is_read_again_behind_a_segment_the_simulation_fails() {
    bites(Guards { writer: Protections { floor_check: false, ..Protections::ALL }, ..Guards::ALL });
}

#[test]
fn without_cuts_where_losses_are_accepted_the_simulation_fails() {
    bites(Guards { writer: Protections { cuts: false, ..Protections::ALL }, ..Guards::ALL });
}

#[test]
fn without_a_comparison_with_the_log_before_anything_is_added_the_simulation_fails() {
    bites(Guards { writer: Protections { history_check: false, ..Protections::ALL }, ..Guards::ALL });
}

#[test]
fn without_a_floor_that_moves_before_anything_is_deleted_the_simulation_fails() {
    bites(Guards { floor_first: false, ..Guards::ALL });
}

#[test]
fn without_pins_that_are_respected_the_simulation_fails() {
    bites(Guards { pins: false, ..Guards::ALL });
}

#[test]
fn without_registers_that_only_grow_the_simulation_fails() {
    bites(Guards { registers: false, ..Guards::ALL });
}

#[test]
fn without_positions_that_parts_are_compared_with_the_simulation_fails() {
    bites(Guards { positions: false, ..Guards::ALL });
}

#[test]
fn without_epochs_that_questions_wait_for_the_simulation_fails() {
    bites(Guards { epochs: false, ..Guards::ALL });
}

#[test]
fn without_runs_that_epochs_are_held_to_the_simulation_fails() {
    bites(Guards { runs: false, ..Guards::ALL });
}
