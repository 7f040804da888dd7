//! Kafka: topics, their selection, what may be read, the metrics topic and the consumer groups.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shared::{
    config::Settings,
    ports::acls::AclOperation,
    ports::records::{Fetched, Kafka, RecordsError, Topic},
    record::TopicPartition,
};

use super::{Examined, Outcome};

/// A topic that may not be described is as one that is not there.
const MISSING: &str = "create it, allow Describe on it, or take it out of topics.include";
const READ_WITHIN: Duration = Duration::from_secs(5);

pub(super) async fn examine(settings: &Settings, kafka: &dyn Kafka, examined: &mut Examined) {
    let topics = match kafka.topics(None).await {
        Ok(topics) => topics,
        Err(error) => return examined.wrong("topics", &error, "allow Describe on the topics"),
    };
    selected(settings, &topics, examined);
    metrics_topic(settings, kafka, &topics, examined).await;
    writable(settings, kafka, &topics, examined).await;
    for (name, backup) in &settings.backups {
        let selected = |topic: &&Topic| backup.topics.selects(&topic.name, &settings.own_topics());
        let topics: Vec<_> = topics.iter().filter(selected).collect();
        readable(name.as_str(), &topics, kafka, examined).await;
    }
    for name in settings.backups.keys() {
        let group = format!("highwater.{name}");
        let partitions: Vec<_> = topics.iter().take(1).flat_map(Topic::each_partition).collect();
        match kafka.committed_offsets(&group, &partitions).await {
            Ok(_) => examined.good("consumer group", format!("{group} can be read")),
            Err(error) => examined.wrong("consumer group", &error, "allow Read on the group"),
        }
    }
}

fn selected(settings: &Settings, topics: &[Topic], examined: &mut Examined) {
    let names: BTreeSet<&str> = topics.iter().map(|topic| &*topic.name).collect();
    for (backup, wanted) in &settings.backups {
        let count = names.iter().filter(|name| wanted.topics.selects(name, &settings.own_topics())).count();
        let outcome = if count == 0 { Outcome::Warning } else { Outcome::Good };
        examined.add("topics", outcome, format!("backup {backup} selects {count} of {} topics", names.len()), None);
        for missing in wanted.topics.literal_names().filter(|name| !names.contains(name)) {
            let detail = format!("backup {backup} asks for topic {missing:?}, which is not there");
            examined.add("topics", Outcome::Warning, detail, Some(MISSING));
        }
    }
}

async fn metrics_topic(settings: &Settings, kafka: &dyn Kafka, topics: &[Topic], examined: &mut Examined) {
    let (name, wanted) = (&settings.metrics.topic, i32::from(settings.metrics.partitions));
    match topics.iter().find(|topic| *topic.name == **name) {
        None => match kafka.check_topic(name, wanted, &[]).await {
            Ok(()) => {
                let detail = format!("{name} is not there yet");
                examined.add("metrics topic", Outcome::Warning, detail, Some("highwater serve makes it"));
            }
            Err(error) => {
                let remedy = format!("allow Create on the topic, or make it: {name} with {wanted} partitions");
                examined.wrong("metrics topic", &error, &remedy);
            }
        },
        Some(topic) if topic.partitions != wanted => {
            let detail = format!("{name} has {} partitions, and the settings say {wanted}", topic.partitions);
            let remedy = "leave it as it is: set metrics.partitions to that. Changing it moves keys between partitions";
            examined.add("metrics topic", Outcome::Warning, detail, Some(remedy));
        }
        Some(topic) => match is_compacted(kafka, &topic.name).await {
            Ok(false) => examined.good("metrics topic", format!("{name} has {} partitions", topic.partitions)),
            Ok(true) => {
                let detail = format!("{name} is compacted: changes that were not counted yet may be gone");
                let remedy = "set its cleanup.policy to delete";
                examined.add("metrics topic", Outcome::Wrong, detail, Some(remedy));
            }
            Err(error) => examined.wrong("metrics topic", &error, "allow DescribeConfigs on the topic"),
        },
    }
}

/// Whether what Highwater says on topics of its own can be said. Backups go on where it cannot.
async fn writable(settings: &Settings, kafka: &dyn Kafka, topics: &[Topic], examined: &mut Examined) {
    let own = [
        ("metrics topic", &settings.metrics.topic, Outcome::Warning, "then figures come from lag-monitor alone"),
        ("replication topic", &settings.replication.topic, Outcome::Wrong, "then nothing is replicated"),
    ];
    for (what, name, outcome, then) in own {
        if topics.iter().all(|topic| *topic.name != **name) || (outcome == Outcome::Wrong && !settings.replicates()) {
            continue;
        }
        match kafka.allowed(name).await {
            Ok(Some(allowed)) if allowed.contains(&AclOperation::Write) => {
                examined.good(what, format!("{name} may be written"));
            }
            Ok(Some(_)) => {
                let detail = format!("{name} may not be written: {then}");
                examined.add(what, outcome, detail, Some("allow Write on the topic"));
            }
            Ok(None) => {}
            Err(error) => examined.wrong(what, &error, "allow Describe on the topic"),
        }
    }
}

async fn is_compacted(kafka: &dyn Kafka, topic: &Arc<str>) -> Result<bool, RecordsError> {
    let settings = kafka.settings(std::slice::from_ref(topic)).await?;
    let settings = settings.into_iter().next().transpose()?.unwrap_or_default();
    Ok(settings.get("cleanup.policy").is_some_and(|policy| policy.contains("compact")))
}

/// Reads a little of the first topic of a backup, as the backup will.
async fn readable(backup: &str, topics: &[&Topic], kafka: &dyn Kafka, examined: &mut Examined) {
    let Some(topic) = topics.first() else { return };
    let Some(partition) = topic.each_partition().next() else { return };
    match read(&partition, kafka).await {
        Ok(()) => {
            examined.good("topics", format!("backup {backup} may read {}{}", topic.name, not_tried(topics.len())))
        }
        Err(error) => examined.wrong("topics", &error, "allow Read and Describe on the topics that are backed up"),
    }
}

/// What the first of so many topics does not prove.
fn not_tried(count: usize) -> String {
    if count == 1 { String::new() } else { format!(", the first of its {count} topics; the others were not tried") }
}

async fn read(partition: &TopicPartition, kafka: &dyn Kafka) -> Result<(), RecordsError> {
    let bounds = kafka.bounds(std::slice::from_ref(partition)).await?;
    let Some(bounds) = bounds.into_iter().next().transpose()? else { return Ok(()) };
    let mut fetch = kafka.peek(&[(partition.clone(), bounds.start)]).await?;
    let fetched = fetch.next(READ_WITHIN).await;
    fetch.close().await;
    let failed =
        fetched?.into_iter().find_map(|it| if let Fetched::Failed { error, .. } = it { Some(error) } else { None });
    failed.map_or(Ok(()), |error| Err((*error).clone()))
}
