//! `highwater groups`: the consumer groups whose offsets the backup holds.

use serde::Serialize;
use shared::{
    archive::{self, reading::holdings},
    ports::objects::Objects,
    record::Millis,
};

use crate::{
    cli::GroupsArgs,
    failure::{Failure, Verdict},
    output::{self, Report, table, time},
    storage,
};

#[derive(Debug, Serialize)]
pub(super) struct Groups {
    pub(super) groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) backup: String,
    pub(super) group: String,
    pub(super) snapshots: usize,
    pub(super) first_at: Option<Millis>,
    pub(super) last_at: Option<Millis>,
    /// For how many partitions it had committed at last.
    pub(super) partitions: usize,
}

pub(super) async fn run(config: Option<&str>, args: GroupsArgs) -> Result<Verdict, Failure> {
    let storage = storage::open(config, &args.storage).await?;
    output::print(&held(&*storage.objects, args.storage.backup.as_deref()).await?, args.output.json)?;
    Ok(Verdict::Good)
}

/// The groups of the storage, or of one backup of it.
pub(super) async fn held(objects: &dyn Objects, backup: Option<&str>) -> Result<Groups, Failure> {
    let mut groups = vec![];
    for held in holdings::backups(objects, backup).await? {
        let backup = held.owner.backup;
        for group in archive::groups(objects, &backup).await? {
            let moments = archive::group_moments(objects, &backup, &group).await?;
            let last = archive::latest_group(objects, &backup, &group, None).await?;
            groups.push(Group {
                backup: backup.clone(),
                group,
                snapshots: moments.len(),
                first_at: moments.first().copied(),
                last_at: moments.last().copied(),
                partitions: last.map_or(0, |snapshot| snapshot.offsets.len()),
            });
        }
    }
    Ok(Groups { groups })
}

impl Report for Groups {
    const SCHEMA: &'static str = "highwater.groups.v1";

    fn text(&self) -> String {
        let moment = |at: Option<Millis>| at.map(time::utc).unwrap_or_default();
        let row = |group: &Group| {
            [
                group.backup.clone(),
                group.group.clone(),
                group.partitions.to_string(),
                group.snapshots.to_string(),
                moment(group.first_at),
                moment(group.last_at),
            ]
        };
        let heads = ["BACKUP", "GROUP", "PARTITIONS", "SNAPSHOTS", "FIRST", "LAST"];
        table::layout(heads, &self.groups.iter().map(row).collect::<Vec<_>>())
    }
}
