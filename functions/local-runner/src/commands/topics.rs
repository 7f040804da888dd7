//! `highwater topics`: what the backup holds, topic by topic.

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use shared::{
    archive::{
        self, Pauses,
        reading::{
            holdings::{self, HeldTopic},
            segments::READS_MAX,
        },
    },
    chain::{ChainIdentity, Totals},
    ports::objects::Objects,
    record::{Millis, TopicId},
};

use crate::{
    cli::TopicsArgs,
    failure::{Failure, Verdict},
    output::{self, Report, table},
    storage,
};

#[derive(Debug, Serialize)]
pub(super) struct Topics {
    pub(super) topics: Vec<Topic>,
}

#[derive(Debug, Serialize)]
pub(super) struct Topic {
    pub(super) backup: String,
    pub(super) topic: String,
    pub(super) incarnation: u32,
    pub(super) topic_id: TopicId,
    /// When the backup first saw it.
    pub(super) claimed_at: Millis,
    pub(super) partitions: usize,
    /// Since when it is paused, by itself or with its backup.
    pub(super) paused_since: Option<Millis>,
    /// What is present: without what expired.
    #[serde(flatten)]
    pub(super) present: Totals,
}

pub(super) async fn run(config: Option<&str>, args: TopicsArgs) -> Result<Verdict, Failure> {
    let storage = storage::open(config, &args.storage).await?;
    output::print(&held(&*storage.objects, args.storage.backup.as_deref()).await?, args.output.json)?;
    Ok(Verdict::Good)
}

/// What the storage holds, or one backup of it.
pub(super) async fn held(objects: &dyn Objects, backup: Option<&str>) -> Result<Topics, Failure> {
    let mut topics = vec![];
    for backup in holdings::backups(objects, backup).await? {
        let pauses = archive::read_pauses(objects, &backup.owner.backup).await?;
        for held in holdings::topics(objects, &backup, |_| true).await? {
            topics.push(sum_up(objects, &backup.owner.backup, held, &pauses).await?);
        }
    }
    Ok(Topics { topics })
}

async fn sum_up(objects: &dyn Objects, backup: &str, held: HeldTopic, pauses: &Pauses) -> Result<Topic, Failure> {
    let ends = stream::iter(&held.chains).map(|chain| present(objects, chain)).buffered(READS_MAX);
    let present = ends.try_fold(Totals::default(), |sum, more| async move { Ok(sum.plus(more)) }).await?;
    let HeldTopic { topic, claim, chains } = held;
    Ok(Topic {
        backup: backup.to_owned(),
        paused_since: pauses.since(&topic),
        topic,
        incarnation: claim.incarnation,
        topic_id: claim.topic_id,
        claimed_at: claim.claimed_at,
        partitions: chains.len(),
        present,
    })
}

async fn present(objects: &dyn Objects, chain: &ChainIdentity) -> Result<Totals, Failure> {
    let end = archive::chain_end(objects, chain, None).await?;
    Ok(end.frontier.point.totals.minus(end.floor.floor.before.totals))
}

impl Report for Topics {
    const SCHEMA: &'static str = "highwater.topics.v1";

    fn text(&self) -> String {
        let row = |topic: &Topic| {
            let Totals { records, record_bytes, segments, stored_bytes, .. } = topic.present;
            let numbers =
                [u64::from(topic.incarnation), topic.partitions as u64, records, record_bytes, segments, stored_bytes];
            let [n, partitions, records, bytes, segments, stored] = numbers.map(|number| number.to_string());
            let state = if topic.paused_since.is_some() { "paused" } else { "" }.to_owned();
            [topic.backup.clone(), topic.topic.clone(), n, partitions, records, bytes, segments, stored, state]
        };
        let heads = ["BACKUP", "TOPIC", "N", "PARTITIONS", "RECORDS", "BYTES", "SEGMENTS", "STORED", "STATE"];
        table::layout(heads, &self.topics.iter().map(row).collect::<Vec<_>>())
    }
}
