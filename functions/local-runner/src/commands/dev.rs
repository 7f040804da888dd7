//! `highwater dev`: everything in one process. The same functions, handlers and listeners as `serve`, over an embedded
//! Kafka, an embedded S3 and a store in memory, with sample topics.

use std::{path::Path, sync::Arc};

use shared::{
    adapters::{
        connect::event_gateway, memory::store::MemoryStore, s3::embedded::EmbeddedS3, settings,
        system_clock::SystemClock,
    },
    config::Settings,
    ports::records::Kafka,
    pushing::Pushing,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{serve, topics};
use crate::{
    cli::DevArgs,
    connect,
    dev::{
        banner::Banner,
        cluster::DevKafka,
        flush, generator,
        samples::{LOCATION, REPLICATION, SHOP},
    },
    failure::{Failure, Verdict},
    host::{Host, listeners::Listeners, ports::Ports, selection::Selection},
    output::{self, Report},
    storage::data_dir,
};

/// The one backup.
const BACKUP: &str = "main";

pub(super) async fn run(config: Option<&str>, args: DevArgs) -> Result<Verdict, Failure> {
    if let Some(config) = config {
        let what = format!("dev has its own configuration and takes no --config ({config}): `highwater serve` does");
        return Err(Failure::Usage(what));
    }
    let settings = settings::load(Some(&own_settings())).await?;
    let stop = serve::stop_signal()?;
    let all = Selection::all();
    let listeners = Listeners::open(&settings.listen, &all).await?;
    let s3 = data_dir::serve(&args.data_dir, 0).await?;
    let kafka = Arc::new(DevKafka::start(&topics_of(&settings)).await?);
    announce(&args.data_dir, &s3).await?;
    print_banner(&args.data_dir, &kafka, &s3, &listeners)?;
    let pushing = event_gateway(&settings, listeners.gateway());
    let ports = ports(kafka, &s3, pushing).await?;
    let host = Host::new(&settings, &all, ports);
    host_with_samples(&settings, &host, listeners, args.seed, &stop).await;
    summary(&host).await?;
    s3.stop().await;
    data_dir::renounce(&args.data_dir).await.map_err(|source| unusable(&args.data_dir, source))?;
    Ok(Verdict::Good)
}

/// What the environment may still change: listeners, segments, and the rest that embeds nothing.
fn own_settings() -> String {
    format!(
        "[backups.{BACKUP}]\n\
         topics = {{ include = [\"*\"] }}\n\
         segment = {{ age_max = \"2s\" }}\n\
         [locations.{LOCATION}]\n\
         url = \"s3://{}/replica\"\n\
         [metrics]\n\
         refresh_s = 2\n",
        data_dir::BUCKET
    )
}

fn topics_of(settings: &Settings) -> Vec<(&str, u16)> {
    let shop = SHOP.iter().map(|sample| (sample.topic, sample.partitions));
    shop.chain([(settings.metrics.topic.as_str(), settings.metrics.partitions)]).collect()
}

async fn ports(kafka: Arc<DevKafka>, s3: &EmbeddedS3, pushing: Option<Pushing>) -> Result<Ports, Failure> {
    let clock = Arc::new(SystemClock);
    Ok(Ports {
        kafka: Some(kafka),
        objects: Some(connect::storage(&s3.settings(data_dir::url())).await?),
        store: Some(Arc::new(MemoryStore::new(clock.clone()))),
        pushing,
        clock,
    })
}

/// Hosts and generates until `stop`; then generates no more, waits until all is in segments, and ends.
async fn host_with_samples(
    settings: &Settings,
    host: &Host,
    listeners: Listeners,
    seed: u64,
    stop: &CancellationToken,
) {
    let Some(kafka) = host.ports.kafka.clone() else { return };
    let samples = start_samples(settings, host, &kafka, seed, stop);
    let flushed = CancellationToken::new();
    let end = async {
        stop.cancelled().await;
        samples.wait().await;
        let topics: Vec<Arc<str>> = SHOP.iter().map(|sample| sample.topic.into()).collect();
        if !flush::wait(&kafka, &format!("highwater.{BACKUP}"), &topics).await {
            tracing::warn!("not every sample record was written in time");
        }
        flushed.cancel();
    };
    tokio::join!(serve::host_until(host, listeners, &flushed), end);
}

fn start_samples(
    settings: &Settings,
    host: &Host,
    kafka: &Arc<dyn Kafka>,
    seed: u64,
    stop: &CancellationToken,
) -> TaskTracker {
    let tasks = TaskTracker::new();
    for sample in SHOP.iter().chain([&REPLICATION]) {
        let topic = if sample.topic == REPLICATION.topic { &settings.metrics.topic } else { sample.topic };
        let clock = host.ports.clock.clone();
        tasks.spawn(generator::run(sample, topic.to_owned(), seed, kafka.clone(), clock, stop.clone()));
    }
    tasks.close();
    tasks
}

async fn announce(folder: &Path, s3: &EmbeddedS3) -> Result<(), Failure> {
    data_dir::announce(folder, s3).await.map_err(|source| unusable(folder, source))
}

fn unusable(folder: &Path, source: std::io::Error) -> Failure {
    Failure::Io { what: format!("--data-dir {} cannot be written", folder.display()), source }
}

fn print_banner(folder: &Path, kafka: &DevKafka, s3: &EmbeddedS3, listeners: &Listeners) -> Result<(), Failure> {
    let banner = Banner {
        data_dir: &folder.display().to_string(),
        program: &program(),
        bootstrap_servers: &kafka.bootstrap_servers(),
        s3: s3.address(),
        listeners: &listeners.addresses(),
    };
    output::text(&banner.text())
}

/// This program as it can be called from here.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "highwater".into());
    let here = std::env::current_dir().unwrap_or_default();
    program.strip_prefix(&here).unwrap_or(&program).display().to_string()
}

/// What the folder holds at the end.
async fn summary(host: &Host) -> Result<(), Failure> {
    let Some(objects) = &host.ports.objects else { return Ok(()) };
    let held = topics::held(&**objects, Some(BACKUP)).await?;
    output::text(&format!("\nThe backup holds:\n{}", held.text()))
}
