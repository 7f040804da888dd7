//! Which settings a target gets that is created, and which of them its cluster refuses.

use shared::{
    archive::TopicSnapshot,
    ports::{
        records::{RecordsError, TopicSettings},
        transactions::Target,
    },
    restore::{Finding, Plan, RefusedSettings, Severity, preflight::Kind},
};

use crate::{error::RestoreError, prepared::PreparedTopic};

/// They name brokers of the source's cluster.
const OF_BROKERS: [&str; 2] = ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];

/// The source's own settings, and instead of them what the plan says.
pub(crate) fn settings(plan: &Plan, setup: Option<&TopicSnapshot>) -> TopicSettings {
    let of_source = setup.filter(|_| plan.source_settings).map(|setup| setup.settings.clone()).unwrap_or_default();
    let mut settings: TopicSettings =
        of_source.into_iter().filter(|(name, _)| !OF_BROKERS.contains(&name.as_str())).collect();
    settings.extend(plan.settings.clone());
    settings
}

/// Asks the cluster of a target that does not exist whether it takes the settings, and leaves out what it refuses where the
/// plan says so.
pub(crate) async fn check(
    topic: &mut PreparedTopic,
    plan: &Plan,
    target: &dyn Target,
) -> Result<Vec<Finding>, RestoreError> {
    if topic.target.is_some() {
        return Ok(vec![]);
    }
    let all = asked(&topic.create_settings);
    let Some(refused) = refusal(target, topic, &all).await? else { return Ok(vec![]) };
    let (mut findings, mut left) = (vec![], topic.create_settings.clone());
    for (name, value) in &all {
        let Some(message) = refusal(target, topic, &[(*name, value.clone())]).await? else { continue };
        findings.push(refused_setting(topic, plan, name, &message));
        left.remove(*name);
    }
    if findings.is_empty() {
        // It is none of them alone.
        return Ok(vec![finding(topic, Severity::Refused, refused)]);
    }
    if plan.refused_settings == RefusedSettings::LeaveOut {
        topic.create_settings = left;
    }
    Ok(findings)
}

fn asked(settings: &TopicSettings) -> Vec<(&str, String)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
}

/// Why the cluster would not create the topic with these settings; `None`: it would.
async fn refusal(
    target: &dyn Target,
    topic: &PreparedTopic,
    settings: &[(&str, String)],
) -> Result<Option<String>, RestoreError> {
    match target.check_topic(&topic.target_name, topic.create_partitions, settings).await {
        Ok(()) => Ok(None),
        Err(RecordsError::Refused { message, .. }) => Ok(Some(message)),
        Err(error) => Err(error.into()),
    }
}

fn refused_setting(topic: &PreparedTopic, plan: &Plan, name: &str, message: &str) -> Finding {
    let value = &topic.create_settings[name];
    match plan.refused_settings {
        RefusedSettings::LeaveOut => {
            finding(topic, Severity::Note, format!("the target is created without {name}={value}: {message}"))
        }
        RefusedSettings::Fail => {
            let advice = "give another value in `settings`, or write refused_settings = \"leave_out\"";
            finding(
                topic,
                Severity::Refused,
                format!("the target's cluster refuses {name}={value}: {message}; {advice}"),
            )
        }
    }
}

fn finding(topic: &PreparedTopic, severity: Severity, message: String) -> Finding {
    let topic = Some(topic.fixed.source.clone());
    Finding { severity, kind: Kind::Settings, topic, partition: None, message }
}
