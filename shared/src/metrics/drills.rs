//! The last drill of each backup, and the last good one, kept in the store of figures and shown as metrics. Lost with the
//! store, until the next one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::registers::names::{join, split};
use crate::{
    ports::store::{Operation, Register},
    record::Millis,
};

/// The hash that holds them: by backup, kind and whether it is the last good one; order the time.
pub const KEY: &str = "hw1:drills";

/// How a drill of a backup ended.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillResult {
    /// The backup.
    pub backup: Arc<str>,
    /// Whether only a sample was drilled.
    pub sample: bool,
    /// When it ended.
    pub at: Millis,
    /// Whether everything came back as it was stored.
    pub good: bool,
    /// How long it took.
    pub seconds: f64,
    /// How many records came back as they were stored.
    pub records: u64,
}

/// The drills of one kind of one backup.
#[derive(Debug, Clone, PartialEq)]
pub struct Drills {
    /// The last one.
    pub last: DrillResult,
    /// The last good one, where there was any.
    pub last_good: Option<DrillResult>,
}

/// What the register of a drill holds.
#[derive(Serialize, Deserialize)]
struct DrillValue {
    good: bool,
    seconds: f64,
    records: u64,
}

/// Whether a drill was one of everything or of a sample, as labels and registers have it.
#[must_use]
pub fn mode(sample: bool) -> &'static str {
    if sample { "sample" } else { "full" }
}

/// What a drill changes in the store.
///
/// # Panics
/// Never: a struct of finite numbers is valid JSON.
#[must_use]
pub fn operations(result: &DrillResult) -> Vec<Operation> {
    let DrillResult { backup, sample, at, good, seconds, records } = result;
    let value = DrillValue { good: *good, seconds: *seconds, records: *records };
    let value = serde_json::to_string(&value).expect("a struct of finite numbers is valid JSON");
    let operation = |which: &str| Operation::Max {
        key: KEY.to_owned(),
        field: join(&[backup, mode(*sample), which]),
        order: vec![u64::try_from(at.0).unwrap_or(0)],
        value: value.clone(),
    };
    if *good { vec![operation("last"), operation("good")] } else { vec![operation("last")] }
}

/// The drills of each backup and kind; what cannot be read is left out.
#[must_use]
pub fn read(registers: &[Register]) -> Vec<Drills> {
    let read = |wanted: &'static str| registers.iter().filter_map(move |register| one(register, wanted));
    let good: Vec<_> = read("good").collect();
    let drills = |last: DrillResult| {
        let same = |it: &&DrillResult| it.backup == last.backup && it.sample == last.sample;
        Drills { last_good: good.iter().find(same).cloned(), last }
    };
    read("last").map(drills).collect()
}

fn one(register: &Register, wanted: &str) -> Option<DrillResult> {
    let [backup, kind, which] = split::<3>(&register.field)?;
    let [at] = register.order[..] else { return None };
    let DrillValue { good, seconds, records } = serde_json::from_str(&register.value).ok()?;
    let (backup, sample) = (backup.into(), kind == mode(true));
    let result = DrillResult { backup, sample, at: Millis(i64::try_from(at).ok()?), good, seconds, records };
    (which == wanted).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(results: &[DrillResult]) -> Vec<Register> {
        let register = |operation| match operation {
            Operation::Max { field, order, value, .. } => Register { field, order, value },
            other => panic!("{other:?}"),
        };
        results.iter().flat_map(operations).map(register).collect()
    }

    #[test]
    fn a_drill_that_failed_leaves_the_last_good_one_of_its_kind() {
        let good =
            DrillResult { backup: "main".into(), sample: true, at: Millis(7), good: true, seconds: 1.5, records: 9 };
        let failed = DrillResult { at: Millis(8), good: false, records: 0, ..good.clone() };
        let full = DrillResult { sample: false, ..failed.clone() };
        let mut registers = kept(&[failed.clone(), full.clone()]);
        registers.extend(kept(std::slice::from_ref(&good)).into_iter().filter(|it| it.field.contains("good")));
        registers.push(Register { field: "junk".into(), order: vec![1], value: "{}".into() });
        let of_samples = Drills { last: failed, last_good: Some(good) };
        assert_eq!(read(&registers), [of_samples, Drills { last: full, last_good: None }]);
    }
}
