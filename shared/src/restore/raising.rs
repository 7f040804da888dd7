//! Which settings of a target are raised while records are restored, so that it neither refuses nor deletes them.

use super::{Finding, preflight::Kind};
use crate::ports::records::TopicSettings;

/// What may be raised, and to what. A single large record is not told before, so the size is raised always.
const RAISED: [(&str, &str); 6] = [
    ("max.message.bytes", "1073741824"),
    ("message.timestamp.after.max.ms", "9223372036854775807"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.type", "CreateTime"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
];
const ALWAYS: &str = "max.message.bytes";

/// The settings to raise: those without which `findings`, which judges a target with these settings, finds more.
pub fn needed(current: &TopicSettings, findings: impl Fn(&TopicSettings) -> Vec<Finding>) -> TopicSettings {
    let known = RAISED.into_iter().filter(|(name, value)| current.get(*name).is_some_and(|it| it != value));
    let known: TopicSettings = known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let all = over(current, &known);
    let fewest = in_the_way(&findings(&all));
    let is_needed = |name: &String| {
        let without = TopicSettings::from([(name.clone(), current[name].clone())]);
        name == ALWAYS || in_the_way(&findings(&over(&all, &without))) > fewest
    };
    known.into_iter().filter(|(name, _)| is_needed(name)).collect()
}

/// Settings with others over them.
#[must_use]
pub fn over(settings: &TopicSettings, others: &TopicSettings) -> TopicSettings {
    let mut all = settings.clone();
    all.extend(others.clone());
    all
}

fn in_the_way(findings: &[Finding]) -> usize {
    let is_of_setting = |kind| matches!(kind, Kind::Timestamps | Kind::Retention | Kind::MessageBytes);
    findings.iter().filter(|finding| is_of_setting(finding.kind)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::Severity;

    fn settings(all: &[(&str, &str)]) -> TopicSettings {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_is_in_the_way_is_raised_and_the_size_of_records() {
        let current = settings(&[
            ("max.message.bytes", "1048588"),
            ("retention.ms", "604800000"),
            ("retention.bytes", "1000"),
            ("message.timestamp.type", "CreateTime"),
            ("cleanup.policy", "compact"),
        ]);
        let finding = || Finding {
            severity: Severity::Refused,
            kind: Kind::Retention,
            topic: None,
            partition: None,
            message: String::new(),
        };
        let findings = |it: &TopicSettings| if it["retention.ms"] == "-1" { vec![] } else { vec![finding()] };
        let expected = settings(&[("max.message.bytes", "1073741824"), ("retention.ms", "-1")]);
        assert_eq!(needed(&current, findings), expected);
    }
}
