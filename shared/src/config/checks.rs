//! Values that mean nothing by themselves, section by section; those that are wrong together are in [`super::contradictions`].

use super::{
    BackupName, BackupSettings, IntegritySettings, KafkaSettings, Problem, RetentionSettings, SegmentSettings,
    Settings, contradictions, metrics::BACKBEAT_INTERVAL_S, secret::Secret, units::Span,
};
use crate::record::topic_name;

/// A key that is shorter can be guessed.
const SEAL_KEY_CHARS_MIN: usize = 32;
/// The same of a token that is sent with each request.
const TOKEN_CHARS_MIN: usize = 16;
const TOO_SHORT: &str = "a key has 32 characters or more: make one with `openssl rand -hex 32`";

impl Settings {
    /// What is allowed but may surprise.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let interval = self.metrics.interval_s;
        let shared = interval == BACKBEAT_INTERVAL_S;
        let warning = || {
            format!(
                "metrics.interval_s = {interval}: Backbeat counts in intervals of {BACKBEAT_INTERVAL_S} s, so its figures and these cannot share a Redis"
            )
        };
        (!shared).then(warning).into_iter().chain(contradictions::warnings(self)).collect()
    }

    /// Values that are right by themselves and wrong together, or mean nothing.
    pub(super) fn contradictions(&self) -> Vec<Problem> {
        let backups = self.backups.iter().flat_map(|(name, backup)| backup_problems(name, backup));
        let kafka = self.kafka.iter().flat_map(KafkaSettings::contradictions);
        let target =
            self.target.iter().flat_map(KafkaSettings::contradictions).map(|problem| problem.of_section("target"));
        let together = contradictions::problems(self);
        let writer = self.writer.problems();
        kafka
            .chain(target)
            .chain(backups)
            .chain(writer)
            .chain(self.replication_problems())
            .chain(self.metrics_problems())
            .chain(self.token_problem())
            .chain(together)
            .collect()
    }

    fn replication_problems(&self) -> Vec<Problem> {
        let it = &self.replication;
        let checks = [
            (it.attempts_max == 0, "attempts_max", "0", "must be 1 or more"),
            (it.objects_at_once == 0, "objects_at_once", "0", "must be 1 or more"),
            (it.reconcile_every < Span::seconds(1), "reconcile_every", "0s", "must be 1s or more"),
        ];
        let wrong = checks.into_iter().filter(|(wrong, ..)| *wrong);
        let wrong = wrong.map(|(_, key, value, why)| Problem::bad(&format!("replication.{key}"), value, why));
        let topic =
            topic_name(&it.topic).err().map(|why| Problem::bad("replication.topic", &format!("{:?}", it.topic), why));
        wrong.chain(topic).collect()
    }

    /// The value is not shown: it is a secret.
    fn token_problem(&self) -> Option<Problem> {
        let is_short = self.listen.token.as_ref().is_some_and(|token| token.reveal().len() < TOKEN_CHARS_MIN);
        let why = format!("a token has {TOKEN_CHARS_MIN} characters or more: make one with `openssl rand -hex 32`");
        is_short.then(|| Problem::BadValue { setting: "listen.token".to_owned(), value: None, why, hint: None })
    }

    fn metrics_problems(&self) -> Vec<Problem> {
        let m = &self.metrics;
        let positive = [
            ("partitions", u32::from(m.partitions)),
            ("interval_s", m.interval_s),
            ("window_s", m.window_s),
            ("object_window_s", m.object_window_s),
            ("refresh_s", m.refresh_s),
        ];
        let mut problems: Vec<_> = positive
            .iter()
            .filter(|(_, value)| *value == 0)
            .map(|(key, _)| Problem::bad(&format!("metrics.{key}"), "0", "must be 1 or more"))
            .collect();
        if !problems.is_empty() {
            return problems;
        }
        for (key, window) in [("window_s", m.window_s), ("object_window_s", m.object_window_s)] {
            if window % m.interval_s != 0 {
                problems.push(Problem::bad(
                    &format!("metrics.{key}"),
                    &window.to_string(),
                    &format!("must be a multiple of metrics.interval_s = {}", m.interval_s),
                ));
            }
        }
        if let Err(why) = topic_name(&m.topic) {
            problems.push(Problem::bad("metrics.topic", &format!("{:?}", m.topic), why));
        }
        problems
    }
}

fn backup_problems(name: &BackupName, backup: &BackupSettings) -> Vec<Problem> {
    let setting = |key: &str| format!("backups.{name}.{key}");
    let segment = &backup.segment;
    let checks = [
        (
            backup.topics.include.is_empty(),
            "topics.include",
            "[]".to_owned(),
            "selects no topic: name one, or write a pattern",
        ),
        (segment.bytes_max.0 == 0, "segment.bytes_max", segment.bytes_max.to_string(), "must be more than nothing"),
        (segment.age_max.0.is_zero(), "segment.age_max", segment.age_max.to_string(), "must be more than nothing"),
    ];
    let of_retention = backup.retention.iter().flat_map(|retention| retention_problems(&setting, segment, retention));
    let problems = checks.into_iter().filter(|(wrong, ..)| *wrong);
    let problems = problems.map(|(_, key, value, why)| Problem::bad(&setting(key), &value, why));
    problems.chain(of_retention).chain(integrity_problems(&setting, &backup.integrity)).collect()
}

/// No value is shown: they are secrets.
fn integrity_problems(setting: &dyn Fn(&str) -> String, integrity: &IntegritySettings) -> Vec<Problem> {
    let problem = |key: &str, why: &str| Problem::BadValue {
        setting: setting(&format!("integrity.{key}")),
        value: None,
        why: why.to_owned(),
        hint: None,
    };
    let is_short = |key: &str| key.len() < SEAL_KEY_CHARS_MIN;
    let former = integrity.former_hmac_keys.as_ref().map_or("", Secret::reveal);
    let without_key = "means nothing without integrity.hmac_key";
    let checks = [
        (integrity.hmac_key.as_ref().is_some_and(|key| is_short(key.reveal())), "hmac_key", TOO_SHORT),
        (former.split_whitespace().any(is_short), "former_hmac_keys", TOO_SHORT),
        (integrity.hmac_key.is_none() && !former.is_empty(), "former_hmac_keys", without_key),
        (integrity.hmac_key.is_none() && integrity.since.is_some(), "since", without_key),
    ];
    checks.into_iter().filter(|(wrong, ..)| *wrong).map(|(_, key, why)| problem(key, why)).collect()
}

/// Dates of stores are whole seconds: what is shorter cannot be told from nothing.
fn retention_problems(
    setting: &dyn Fn(&str) -> String,
    segment: &SegmentSettings,
    retention: &RetentionSettings,
) -> Vec<Problem> {
    let longer = format!("must be longer than segment.age_max = {}: records would expire unwritten", segment.age_max);
    let checks = [
        (retention.delete_after <= segment.age_max, "delete_after", retention.delete_after, &*longer),
        (retention.grace < Span::seconds(1), "grace", retention.grace, "must be 1s or more"),
        (retention.check_every < Span::seconds(1), "check_every", retention.check_every, "must be 1s or more"),
    ];
    let problems = checks.into_iter().filter(|(wrong, ..)| *wrong);
    problems
        .map(|(_, key, value, why)| Problem::bad(&setting(&format!("retention.{key}")), &value.to_string(), why))
        .collect()
}
