//! Whatever happens to restores on the way, every record is in the target once and in order, and groups go on where they stood.
//!
//! `HIGHWATER_TEST_SEEDS=1000` runs more seeds, `HIGHWATER_TEST_SEED=17` replays one.

use integration_tests::{
    replay::number,
    simulation::{
        restoring::{Restored, run, run_without},
        unprotected_target::Without,
    },
};

fn seeds() -> std::ops::Range<u64> {
    match number("HIGHWATER_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HIGHWATER_TEST_SEEDS").unwrap_or(200),
    }
}

#[test]
fn every_record_is_restored_once_and_in_order_whatever_happens() {
    let runs: Vec<_> = seeds().map(|seed| (seed, run(seed))).collect();
    let of = |(seed, run): &(u64, Result<Restored, String>)| {
        run.as_ref().err().map(|violation| format!("HIGHWATER_TEST_SEED={seed}: {violation}"))
    };
    let failed: Vec<_> = runs.iter().filter_map(of).collect();
    let sum = |of: fn(&Restored) -> usize| runs.iter().filter_map(|(_, run)| run.as_ref().ok()).map(of).sum::<usize>();
    let counts = [
        sum(|it| it.records),
        sum(|it| it.killed),
        sum(|it| it.taken_over),
        sum(|it| it.wiped),
        sum(|it| it.group_offsets),
    ];
    let [records, killed, taken_over, wiped, offsets] = counts;
    println!(
        "{} seeds ran: {records} records, {killed} runs killed, {taken_over} taken over, {wiped} targets wiped, {offsets} offsets of groups",
        runs.len()
    );
    assert!(failed.is_empty(), "{} seeds fail:\n{}", failed.len(), failed.join("\n"));
    if runs.len() > 100 {
        assert!(counts.iter().all(|count| *count > 0), "something never happens: {counts:?}");
    }
}

#[test]
fn the_simulation_notices_when_a_protection_is_taken_out() {
    for without in [Without::Fencing, Without::OneTransaction] {
        let violation = (0..200).find_map(|seed| run_without(seed, without).err());
        assert!(violation.is_some(), "nobody notices that a restore works without {without:?}");
        println!("without {without:?}: {}", violation.unwrap_or_default());
    }
}
