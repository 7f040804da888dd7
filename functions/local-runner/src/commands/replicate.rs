//! `highwater replicate`: what is asked for comes to the locations, once.

use std::sync::Arc;

use object_replicator::{LocationReport, NAME, Report as Done};
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    adapters::settings,
    config::{LocationName, Settings},
    ports::records::Topic,
    replication::{SourcePlace, group},
};

use crate::{
    cli::ReplicateArgs,
    failure::{Failure, Verdict},
    host::{Host, selection::Selection},
    output::{
        self, Report,
        progress::{self, Reading},
        table,
    },
};

/// What was done.
#[derive(Debug, Serialize)]
pub(super) struct Replicated {
    pub(super) locations: Vec<LocationReport>,
}

pub(super) async fn run(config: Option<&str>, args: ReplicateArgs) -> Result<Verdict, Failure> {
    let settings = settings::load(config).await?;
    let host = Host::connect(&settings, &Selection::only(&[NAME]), None).await?;
    let bar = progress::messages("replicate".to_owned());
    let readings = if bar.is_hidden() { vec![] } else { readings(&settings, &host, &args).await };
    let replicating = replicate(&host, &args);
    let locations = match &host.ports.kafka {
        Some(kafka) => progress::of_groups(bar, &**kafka, &readings, replicating).await?,
        None => replicating.await?,
    };
    let all_came = locations.iter().all(|it| it.replicated.is_none_or(|replicated| replicated.failed == 0));
    output::print(&Replicated { locations }, args.output.json)?;
    Ok(if all_came { Verdict::Good } else { Verdict::Wrong })
}

/// What the groups of the locations read. Where it is not known there is no progress to show.
async fn readings(settings: &Settings, host: &Host, args: &ReplicateArgs) -> Vec<Reading> {
    let (Ok(storage), Some(kafka)) = (settings.storage(), &host.ports.kafka) else { return vec![] };
    let storage = SourcePlace::of(storage).name();
    let topic = Arc::from(settings.replication.topic.as_str());
    let topics = kafka.topics(Some(&[topic])).await.unwrap_or_default();
    let partitions: Vec<_> = topics.iter().flat_map(Topic::each_partition).collect();
    let asked = settings.locations.keys().filter(|name| args.location.as_deref().is_none_or(|it| it == name.as_str()));
    let reading =
        |name: &LocationName| Reading { group: group(&storage, name.as_str()), partitions: partitions.clone() };
    asked.map(reading).collect()
}

async fn replicate(host: &Host, args: &ReplicateArgs) -> Result<Vec<LocationReport>, Failure> {
    let location = &args.location;
    let compared = match args.existing {
        true => call(host, json!({ "location": location, "reconcile": true })).await?,
        false => Done::default(),
    };
    let mut done = call(host, json!({ "location": location })).await?;
    for report in &mut done.locations {
        let compared = compared.locations.iter().find(|it| it.location == report.location);
        report.reconciled = compared.and_then(|it| it.reconciled);
    }
    Ok(done.locations)
}

async fn call(host: &Host, payload: Value) -> Result<Done, Failure> {
    let answer = host.functions.call(NAME, payload).await.ok_or_else(nowhere)?;
    let answer = answer.map_err(|error| Failure::Usage(error.message))?;
    serde_json::from_value(answer).map_err(|error| Failure::Usage(format!("{NAME} answered something else: {error}")))
}

fn nowhere() -> Failure {
    let what = "nothing is replicated: write [locations.NAME] url = \"s3://bucket/prefix\", and replication.enabled must not be false";
    Failure::Usage(what.to_owned())
}

impl Report for Replicated {
    const SCHEMA: &'static str = "highwater.replicate.v1";

    fn text(&self) -> String {
        let row = |it: &LocationReport| {
            let replicated = it.replicated.unwrap_or_default();
            let missing = it.reconciled.map_or_else(|| "-".to_owned(), |it| it.missing.to_string());
            [it.location.clone(), missing, replicated.completed.to_string(), replicated.failed.to_string()]
        };
        let rows: Vec<_> = self.locations.iter().map(row).collect();
        table::layout(["LOCATION", "MISSING", "REPLICATED", "FAILED"], &rows)
    }
}
