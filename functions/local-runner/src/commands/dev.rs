//! `highwater dev`: everything in one process. The same functions, handlers and listeners as `serve`, over an embedded
//! Kafka, an embedded S3 and a store in memory, with sample topics.

use std::{path::Path, sync::Arc};

use shared::{
    adapters::{
        connect::event_gateway,
        memory::{
            faults::{Faults, FaultyObjects, Odds},
            registry::MemoryRegistry,
            store::MemoryStore,
        },
        otlp::Otlp,
        s3::{S3Buckets, embedded::EmbeddedS3},
        settings,
        system_clock::SystemClock,
    },
    config::{RegistrySettings, Settings},
    ports::{
        objects::Objects,
        records::Kafka,
        registry::{Registry as _, Schema},
    },
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
        registry::DevRegistry,
        samples::{LOCATION, SHOP},
    },
    failure::{Failure, Verdict},
    host::{Host, listeners::Listeners, ports::Ports, selection::Selection},
    output::{self, Report},
    storage::data_dir,
    telemetry,
};

/// How many requests to the location fail.
const FAILURES_OF_LOCATION: f64 = 0.01;
/// The one backup.
const BACKUP: &str = "main";

pub(super) async fn run(config: Option<&str>, args: DevArgs) -> Result<Verdict, Failure> {
    if let Some(config) = config {
        let what = format!("dev has its own configuration and takes no --config ({config}): `highwater serve` does");
        return Err(Failure::Usage(what));
    }
    let mut settings = settings::load(Some(&own_settings())).await?;
    let stop = serve::stop_signal()?;
    let all = Selection::all();
    let listeners = Listeners::open(&settings.listen, &all).await?;
    let s3 = data_dir::serve(&args.data_dir, 0).await?;
    settings.storage = Some(s3.settings(data_dir::url()));
    settings.locations.values_mut().for_each(|location| *location = s3.settings(location.url.clone()));
    let kafka = Arc::new(DevKafka::start(&topics_of(&settings)).await?);
    announce(&args.data_dir, &s3).await?;
    let registry = registry().await?;
    settings.schema_registry = Some(RegistrySettings::at(registry.url()));
    print_banner(&args.data_dir, &kafka, &s3, &registry, &listeners)?;
    let pushing = event_gateway(&settings, listeners.gateway())?;
    let ports = ports(&settings, kafka, &s3, pushing).await?;
    let host = Host::new(&settings, &all, ports);
    let otlp = telemetry::export(&settings.otlp, &host.instance);
    host_with_samples(&host, listeners, otlp, args.seed, &stop).await;
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
         url = \"{}\"\n\
         [replication]\n\
         reconcile_every = \"60s\"\n\
         [metrics]\n\
         refresh_s = 2\n",
        data_dir::replica_url()
    )
}

fn topics_of(settings: &Settings) -> Vec<(&str, u16)> {
    let shop = SHOP.iter().map(|sample| (sample.topic, sample.partitions));
    let partitions = settings.metrics.partitions;
    shop.chain(settings.own_topics().map(|topic| (topic, partitions))).collect()
}

async fn ports(
    settings: &Settings,
    kafka: Arc<DevKafka>,
    s3: &EmbeddedS3,
    pushing: Option<Pushing>,
) -> Result<Ports, Failure> {
    let clock = Arc::new(SystemClock);
    let place = s3.settings(data_dir::url());
    let locations = shared::adapters::connect::locations(settings).await?;
    Ok(Ports {
        kafka: Some(kafka),
        objects: Some(connect::storage(&place).await?),
        locations: locations.into_iter().map(|(name, objects)| (name, unreliable(objects))).collect(),
        buckets: Some(Arc::new(S3Buckets::beside(&place))),
        store: Some(Arc::new(MemoryStore::new(clock.clone()))),
        registries: shared::adapters::connect::registries(settings)?,
        pushing,
        // The mock's logs know no transactions.
        target: None,
        clock,
    })
}

/// A store that fails now and then, so that failures and retries can be seen.
fn unreliable(objects: Arc<dyn Objects>) -> Arc<dyn Objects> {
    let odds = Odds { fail_before: FAILURES_OF_LOCATION, ..Odds::NONE };
    Arc::new(FaultyObjects::new(objects, Arc::new(Faults::new(1, odds, None))))
}

/// Hosts and generates until `stop`; then generates no more, waits until all is in segments, and ends.
async fn host_with_samples(host: &Host, listeners: Listeners, otlp: Option<Otlp>, seed: u64, stop: &CancellationToken) {
    let Some(kafka) = host.ports.kafka.clone() else { return };
    let samples = start_samples(host, &kafka, seed, stop);
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
    tokio::join!(serve::host_until(host, listeners, otlp, &flushed), end);
}

fn start_samples(host: &Host, kafka: &Arc<dyn Kafka>, seed: u64, stop: &CancellationToken) -> TaskTracker {
    let tasks = TaskTracker::new();
    for sample in &SHOP {
        let clock = host.ports.clock.clone();
        tasks.spawn(generator::run(sample, sample.topic.to_owned(), seed, kafka.clone(), clock, stop.clone()));
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

/// A registry with a schema of each sample topic.
async fn registry() -> Result<DevRegistry, Failure> {
    let unusable = |source| Failure::Io { what: "no port is free for the embedded schema registry".to_owned(), source };
    let registry = DevRegistry::start(Arc::new(MemoryRegistry::default())).await.map_err(unusable)?;
    for sample in &SHOP {
        let subject = format!("{}-value", sample.topic);
        let text = format!(r#"{{"title":"{}","type":"object"}}"#, sample.topic);
        let schema =
            Schema { schema_type: "JSON".to_owned(), schema: text, references: vec![], other: Default::default() };
        if let Err(error) = registry.registry.register(&subject, &schema, None).await {
            tracing::warn!(subject, error = &error as &dyn std::error::Error, "a sample schema was not registered");
        }
    }
    Ok(registry)
}

fn print_banner(
    folder: &Path,
    kafka: &DevKafka,
    s3: &EmbeddedS3,
    registry: &DevRegistry,
    listeners: &Listeners,
) -> Result<(), Failure> {
    let banner = Banner {
        data_dir: &folder.display().to_string(),
        program: &program(),
        bootstrap_servers: &kafka.bootstrap_servers(),
        s3: s3.address(),
        registry: &registry.url(),
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
