//! `highwater pause` and `highwater resume`: through the storage alone, whatever runs elsewhere.

use std::sync::Arc;

use backup_control::{Action, Context, Enabled, Pausable, Status};
use serde::Serialize;
use shared::adapters::{connect, settings, system_clock::SystemClock};

use crate::{
    cli::ControlArgs,
    failure::{Failure, Verdict},
    output::{self, Report, table, time::utc},
};

/// What holds after it was asked.
#[derive(Debug, Serialize)]
pub(super) struct Controlled {
    pub(super) backup: String,
    #[serde(flatten)]
    pub(super) status: Status,
}

pub(super) async fn run(config: Option<&str>, args: ControlArgs, action: Action) -> Result<Verdict, Failure> {
    let settings = settings::load(config).await?;
    let objects = connect::storage(&settings).await?;
    let context = Context::new(&settings, objects, Arc::new(SystemClock));
    let backup = match args.backup {
        Some(backup) => backup,
        None => the_only_one(&context)?,
    };
    let target = Pausable { backup: &backup, topic: args.topic.as_deref() };
    backup_control::control(action, target, &context).await?;
    let status = backup_control::status(&backup, &context).await?;
    output::print(&Controlled { backup, status }, args.output.json)?;
    Ok(Verdict::Good)
}

fn the_only_one(context: &Context) -> Result<String, Failure> {
    let names: Vec<&str> = context.backups().collect();
    match names[..] {
        [name] => Ok(name.to_owned()),
        _ => Err(Failure::Usage(format!("which backup? Name one of these: {}", names.join(", ")))),
    }
}

impl Report for Controlled {
    const SCHEMA: &'static str = "highwater.control.v1";

    fn text(&self) -> String {
        let row = |topic: &str, enabled: Enabled| {
            let (state, since) = match enabled {
                Enabled::Enabled => ("enabled", "-".to_owned()),
                Enabled::Paused { since } => ("paused", utc(since)),
            };
            [self.backup.clone(), topic.to_owned(), state.to_owned(), since]
        };
        let topics = self.status.topics.iter().map(|(topic, enabled)| row(topic, *enabled));
        let rows: Vec<_> = std::iter::once(row("-", self.status.backup)).chain(topics).collect();
        table::layout(["BACKUP", "TOPIC", "STATE", "SINCE"], &rows)
    }
}
