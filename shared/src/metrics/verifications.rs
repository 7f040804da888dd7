//! The last verification of each backup, kept in the store of figures and shown as metrics. Lost with the store, until the
//! next one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::registers::names::{join, split};
use crate::{
    ports::store::{Operation, Register},
    record::Millis,
};

/// The hash that holds them: by backup; order the time.
pub const KEY: &str = "hw1:verifications";

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
    deep: bool,
    findings: u64,
}

/// What a verification changes in the store.
///
/// # Panics
/// Never: a struct of numbers is valid JSON.
#[must_use]
pub fn operation(verification: &Verification) -> Operation {
    let Verification { backup, at, deep, findings } = verification;
    let value = VerificationValue { deep: *deep, findings: *findings };
    let value = serde_json::to_string(&value).expect("a struct of numbers is valid JSON");
    let order = vec![u64::try_from(at.0).unwrap_or(0)];
    Operation::Max { key: KEY.to_owned(), field: join(&[backup]), order, value }
}

/// The last verification of each backup; what cannot be read is left out.
#[must_use]
pub fn read(registers: &[Register]) -> Vec<Verification> {
    let one = |register: &Register| {
        let [backup] = split::<1>(&register.field)?;
        let [at] = register.order[..] else { return None };
        let VerificationValue { deep, findings } = serde_json::from_str(&register.value).ok()?;
        Some(Verification { backup: backup.into(), at: Millis(i64::try_from(at).ok()?), deep, findings })
    };
    registers.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_and_anything_else_is_left_out() {
        let kept = Verification { backup: "main".into(), at: Millis(7), deep: true, findings: 3 };
        let Operation::Max { key, field, order, value } = operation(&kept) else { panic!("a register") };
        assert_eq!((key.as_str(), field.as_str()), ("hw1:verifications", "4:main,"));
        let junk = Register { field: "main".into(), order: vec![1], value: "{}".into() };
        assert_eq!(read(&[Register { field, order, value }, junk]), [kept]);
    }
}
