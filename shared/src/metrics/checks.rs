//! What proves that backups are good, and whether it runs: the last verifications and drills of the configured backups, and
//! the runs of scheduled functions.

use std::sync::Arc;

use super::{
    drills::{self, Drills},
    runs::{self, Runs},
    verifications::{self, Verification},
};
use crate::{
    ports::store::{Query, Register, Value},
    record::Millis,
};

/// What the store holds of verifications, drills and scheduled functions.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    /// The last verification of each backup and mode, and when one of the same last found nothing.
    pub verifications: Vec<(Verification, Option<Millis>)>,
    /// The drills of each backup and mode.
    pub drills: Vec<Drills>,
    /// The runs of scheduled functions.
    pub runs: Runs,
}

impl Checks {
    /// What to ask the store.
    #[must_use]
    pub fn queries() -> Vec<Query> {
        let registers = [verifications::KEY, drills::KEY].map(|key| Query::Registers(key.to_owned()));
        registers.into_iter().chain(runs::queries()).collect()
    }

    /// The answers to [`Checks::queries`], without what concerns a backup that is none of these, and without failed runs of
    /// long before `now`.
    #[must_use]
    pub fn read(answers: &mut impl Iterator<Item = Value>, backups: &[Arc<str>], now: Millis) -> Self {
        let (verified, drilled) = (registers(answers.next()), registers(answers.next()));
        let mut runs = runs::read(&answers.by_ref().take(runs::queries().len()).collect::<Vec<_>>());
        let is_configured = |backup: &str| backups.iter().any(|name| **name == *backup);
        runs.retain(is_configured, now);
        let with_good = |last: Verification| {
            let good_at = verifications::last_good_at(&verified, &last.backup, last.deep);
            (last, good_at)
        };
        let verifications = verifications::read(&verified).into_iter().filter(|it| is_configured(&it.backup));
        let drills = drills::read(&drilled).into_iter().filter(|it| is_configured(&it.last.backup));
        Checks { verifications: verifications.map(with_good).collect(), drills: drills.collect(), runs }
    }
}

fn registers(answer: Option<Value>) -> Vec<Register> {
    answer.map(Value::into_registers).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metrics::{drills::DrillResult, registers::examples::hashes, runs::FailureKind},
        ports::store::Operation,
    };

    const NOW: Millis = Millis(1_700_000_000_000);
    const DAY_MS: i64 = 86_400_000;

    /// What is read with `main` configured, after these operations.
    fn after(operations: impl IntoIterator<Item = Operation>) -> Checks {
        let mut held = hashes(operations);
        let mut answer = |query: Query| match query {
            Query::Registers(key) => Value::Registers(held.remove(&key).unwrap_or_default().into_values().collect()),
            _ => Value::Text(None),
        };
        let answers: Vec<_> = Checks::queries().into_iter().map(&mut answer).collect();
        Checks::read(&mut answers.into_iter(), &["main".into()], NOW)
    }

    fn of_backup(backup: &str) -> Vec<Operation> {
        let verification = Verification { backup: backup.into(), at: NOW, deep: false, findings: 0 };
        let backup = Arc::from(backup);
        let runs = [
            runs::succeeded("segment-expirer", &backup, NOW),
            runs::last_failed("segment-expirer", &backup, FailureKind::Storage, NOW),
        ];
        let drill = DrillResult { backup, sample: true, at: NOW, good: true, seconds: 1.0, records: 1 };
        [verifications::operations(&verification), drills::operations(&drill), runs.into()].concat()
    }

    #[test]
    fn what_concerns_a_backup_that_is_not_configured_is_left_out() {
        let checks = after([of_backup("main"), of_backup("gone")].concat());
        let [(verified, Some(NOW))] = &checks.verifications[..] else { panic!("{checks:?}") };
        let ([drill], [success], [(failure, _)]) =
            (&checks.drills[..], &checks.runs.successes[..], &checks.runs.last_failures[..])
        else {
            panic!("{checks:?}")
        };
        let backups = [&*verified.backup, &*drill.last.backup, &success.backup, &failure.backup];
        assert_eq!(backups, ["main"; 4]);
    }

    #[test]
    fn a_function_that_was_taken_out_of_the_settings_is_not_called_failing_forever() {
        let failed =
            |days| runs::last_failed("schema-archiver", "", FailureKind::Registry, Millis(NOW.0 - days * DAY_MS));
        assert_eq!(after([failed(7)]).runs.failing().count(), 1);
        assert_eq!(after([failed(9)]).runs.last_failures, []);
    }
}
