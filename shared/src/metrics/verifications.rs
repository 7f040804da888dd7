//! The last verification of each backup, kept in the store of figures and shown as metrics. Lost with the store, until the
//! next one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::registers::names::{join, split};
use crate::{
    ports::store::{Operation, Register},
    record::Millis,
};

/// The hash that holds them: by backup and mode, and the last good ones by backup, mode and [`GOOD`]; order the time.
pub const KEY: &str = "hw1:verifications";

/// Marks the last verification that found nothing.
const GOOD: &str = "good";

/// How a verification of a backup ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The backup.
    pub backup: Arc<str>,
    /// When it ended.
    pub at: Millis,
    /// Whether every record was read, or footers only.
    pub deep: bool,
    /// How many things are wrong.
    pub findings: u64,
}

/// What the register of a verification holds.
#[derive(Serialize, Deserialize)]
struct VerificationValue {
    findings: u64,
}

/// How much was looked at, as labels and registers have it.
#[must_use]
pub fn mode(deep: bool) -> &'static str {
    if deep { "deep" } else { "footers" }
}

/// What a verification changes in the store.
///
/// # Panics
/// Never: a struct of numbers is valid JSON.
#[must_use]
pub fn operations(verification: &Verification) -> Vec<Operation> {
    let Verification { backup, at, deep, findings } = verification;
    let value = VerificationValue { findings: *findings };
    let value = serde_json::to_string(&value).expect("a struct of numbers is valid JSON");
    let order = vec![u64::try_from(at.0).unwrap_or(0)];
    let operation =
        |field: String| Operation::Max { key: KEY.to_owned(), field, order: order.clone(), value: value.clone() };
    let good = (*findings == 0).then(|| operation(join(&[backup, mode(*deep), GOOD])));
    [operation(join(&[backup, mode(*deep)]))].into_iter().chain(good).collect()
}

/// The last verification of each backup and mode; what cannot be read is left out. One that read every record has looked at
/// everything that an earlier one of footers had.
#[must_use]
pub fn read(registers: &[Register]) -> Vec<Verification> {
    let one = |register: &Register| {
        let [backup, kind] = split::<2>(&register.field)?;
        let [at] = register.order[..] else { return None };
        let VerificationValue { findings } = serde_json::from_str(&register.value).ok()?;
        let deep = kind == mode(true);
        Some(Verification { backup: backup.into(), at: Millis(i64::try_from(at).ok()?), deep, findings })
    };
    let all: Vec<_> = registers.iter().filter_map(one).collect();
    let is_covered = |it: &Verification| {
        !it.deep && all.iter().any(|other| other.deep && other.backup == it.backup && other.at > it.at)
    };
    all.iter().filter(|it| !is_covered(it)).cloned().collect()
}

/// When a verification of this backup and mode last found nothing.
#[must_use]
pub fn last_good_at(registers: &[Register], backup: &str, deep: bool) -> Option<Millis> {
    let good = Some([backup, mode(deep), GOOD]);
    let register = registers.iter().find(|register| split::<3>(&register.field) == good)?;
    Some(Millis(i64::try_from(*register.order.first()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(verification: &Verification) -> Vec<Register> {
        let register = |operation| match operation {
            Operation::Max { field, order, value, .. } => Register { field, order, value },
            other => panic!("{other:?}"),
        };
        operations(verification).into_iter().map(register).collect()
    }

    #[test]
    fn what_was_kept_is_read_and_anything_else_is_left_out() {
        let kept = Verification { backup: "main".into(), at: Millis(7), deep: true, findings: 3 };
        let junk = Register { field: "main".into(), order: vec![1], value: "{}".into() };
        let registers = [held(&kept), vec![junk]].concat();
        assert_eq!(registers[0].field, "4:main,4:deep,");
        assert_eq!((read(&registers), last_good_at(&registers, "main", true)), (vec![kept], None));
    }

    #[test]
    fn the_last_one_that_found_nothing_is_known_behind_one_that_found_something() {
        let good = Verification { backup: "main".into(), at: Millis(7), deep: false, findings: 0 };
        let bad = Verification { at: Millis(9), findings: 2, ..good.clone() };
        let mut registers = held(&good);
        registers.retain(|register| register.field.contains(GOOD));
        registers.extend(held(&bad));
        assert_eq!((read(&registers), last_good_at(&registers, "main", false)), (vec![bad], Some(Millis(7))));
        assert_eq!((last_good_at(&registers, "other", false), last_good_at(&registers, "main", true)), (None, None));
    }

    #[test]
    fn footers_do_not_hide_what_was_found_in_records_and_records_cover_footers() {
        let of = |deep, at, findings| Verification { backup: "main".into(), at: Millis(at), deep, findings };
        let after = |one: &Verification, other: &Verification| read(&[held(one), held(other)].concat());
        let (deep, footers) = (of(true, 7, 3), of(false, 9, 0));
        assert_eq!(after(&deep, &footers), [deep.clone(), footers]);
        assert_eq!(after(&of(false, 5, 2), &deep), [deep]);
    }
}
