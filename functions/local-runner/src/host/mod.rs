//! What hosts the functions: settings become ports, ports become the functions' contexts, and all functions stand in one
//! table. [`triggers`] start them.

pub mod functions;
pub mod hosted;
pub mod listeners;
pub mod ports;
pub mod signals;
pub mod triggers;

use std::{sync::Arc, time::Duration};

use shared::{
    adapters::{connect, instance},
    config::{BackupSettings, Settings},
    function::answer,
    ports::store::Store,
};

use self::{
    functions::{Functions, LateInvoker},
    hosted::{Function, Hosted},
    ports::Ports,
};
use crate::failure::Failure;

/// The hosted functions.
pub struct Host {
    /// The name of this process, which no other run of it has.
    pub instance: String,
    /// The table.
    pub functions: Arc<Functions>,
    /// segment-writer's context, where it is hosted.
    pub writer: Option<Arc<segment_writer::Context>>,
    /// How often each backup with a retention is looked at for what has expired.
    pub expiries: Vec<(String, Duration)>,
    /// metrics-consumer's context, where it is hosted.
    pub consumer: Option<metrics_consumer::Context>,
    /// The time between two looks of lag-monitor.
    pub refresh: Duration,
    /// metrics-query's context, where it is hosted.
    pub query: Option<metrics_query::Context>,
    /// backup-control's context, where it is hosted.
    pub control: Option<backup_control::Context>,
    /// The ports.
    pub ports: Ports,
}

impl Host {
    /// Connects to what the hosted functions need, and hosts them. The metrics topic is made where it is not there.
    ///
    /// # Errors
    /// When a service is not configured, or cannot be reached.
    pub async fn connect(settings: &Settings, hosted: &Hosted) -> Result<Self, Failure> {
        let ports = Ports::connect(settings, hosted).await?;
        if let Some(kafka) = &ports.kafka {
            connect::create_metrics_topic(settings, &**kafka).await?;
        }
        Ok(Host::new(settings, hosted, ports))
    }

    /// Makes the contexts of the hosted functions and their table.
    #[must_use]
    pub fn new(settings: &Settings, hosted: &Hosted, ports: Ports) -> Self {
        let instance = instance::name(&*ports.clock);
        let writer = hosted.has(Function::SegmentWriter).then(|| writer(settings, &ports, &instance)).flatten();
        let query = hosted.has(Function::MetricsQuery).then(|| query(settings, &ports)).flatten();
        let expirer = hosted.has(Function::SegmentExpirer).then(|| expirer(settings, &ports)).flatten();
        let expiries = if expirer.is_some() { expiries(settings) } else { vec![] };
        let invoker = LateInvoker::default();
        let consumer = hosted.has(Function::MetricsConsumer).then(|| consumer(settings, &ports, &invoker)).flatten();
        let monitor = hosted.has(Function::LagMonitor).then(|| monitor(settings, &ports)).flatten();
        let aggregator = hosted.has(Function::MetricsAggregator).then(|| ports.store.clone()).flatten();
        let control = hosted.has(Function::BackupControl).then(|| control(settings, &ports)).flatten();
        let functions = table(writer.clone(), expirer, consumer.clone(), monitor, aggregator, query.clone());
        let functions = Arc::new(with_control(functions, control.clone()));
        invoker.set(&functions);
        let refresh = Duration::from_secs(settings.metrics.refresh_s.into());
        Host { instance, functions, writer, expiries, consumer, refresh, query, control, ports }
    }
}

/// The one table of all functions that have a context. Each reads its own payloads, as it does on Lambda.
fn table(
    writer: Option<Arc<segment_writer::Context>>,
    expirer: Option<segment_expirer::Context>,
    consumer: Option<metrics_consumer::Context>,
    monitor: Option<lag_monitor::Context>,
    store: Option<Arc<dyn Store>>,
    query: Option<metrics_query::Context>,
) -> Functions {
    let mut functions = Functions::default();
    if let Some(context) = writer {
        functions = functions.with(Function::SegmentWriter.name(), move |payload| {
            let context = context.clone();
            answer(payload, |input| async move { segment_writer::handle(input, &context).await })
        });
    }
    if let Some(context) = expirer.map(Arc::new) {
        functions = functions.with(Function::SegmentExpirer.name(), move |payload| {
            let context = context.clone();
            answer(payload, |input| async move { segment_expirer::handle(input, &context).await })
        });
    }
    if let Some(context) = consumer {
        functions = functions.with(Function::MetricsConsumer.name(), move |payload| {
            let context = context.clone();
            answer(payload, |input| async move { metrics_consumer::handle(input, &context).await })
        });
    }
    if let Some(context) = monitor.map(Arc::new) {
        functions = functions.with(Function::LagMonitor.name(), move |payload| {
            let context = context.clone();
            answer(payload, |input| async move { lag_monitor::handle(input, &context).await })
        });
    }
    if let Some(context) = store.map(|store| metrics_aggregator::Context { store }) {
        functions = functions.with(Function::MetricsAggregator.name(), move |payload| {
            let context = context.clone();
            answer(payload, |part| async move { metrics_aggregator::handle(part, &context).await })
        });
    }
    if let Some(context) = query {
        functions = functions.with(Function::MetricsQuery.name(), move |payload| {
            let context = context.clone();
            answer(payload, |event| async move { metrics_query::handle_event(event, &context).await })
        });
    }
    functions
}

fn with_control(functions: Functions, control: Option<backup_control::Context>) -> Functions {
    let Some(context) = control.map(Arc::new) else { return functions };
    functions.with(Function::BackupControl.name(), move |payload| {
        let context = context.clone();
        answer(payload, |event| async move { backup_control::handle_event(event, &context).await })
    })
}

fn consumer(settings: &Settings, ports: &Ports, invoker: &LateInvoker) -> Option<metrics_consumer::Context> {
    Some(metrics_consumer::Context::of(settings, ports.kafka.clone()?, Arc::new(invoker.clone())))
}

fn monitor(settings: &Settings, ports: &Ports) -> Option<lag_monitor::Context> {
    let (kafka, objects, store) = (ports.kafka.clone()?, ports.objects.clone()?, ports.store.clone()?);
    Some(lag_monitor::Context::new(settings, kafka, objects, store, ports.clock.clone()))
}

fn writer(settings: &Settings, ports: &Ports, instance: &str) -> Option<Arc<segment_writer::Context>> {
    let (kafka, objects) = (ports.kafka.clone()?, ports.objects.clone()?);
    Some(segment_writer::Context::of(settings, kafka, objects, ports.clock.clone(), instance))
}

fn expirer(settings: &Settings, ports: &Ports) -> Option<segment_expirer::Context> {
    Some(segment_expirer::Context::new(settings, ports.objects.clone()?, ports.clock.clone()))
}

fn expiries(settings: &Settings) -> Vec<(String, Duration)> {
    let every = |backup: &BackupSettings| backup.retention.map(|retention| retention.check_every.0);
    settings.backups.iter().filter_map(|(name, backup)| Some((name.to_string(), every(backup)?))).collect()
}

fn query(settings: &Settings, ports: &Ports) -> Option<metrics_query::Context> {
    Some(metrics_query::Context::new(settings, ports.store.clone()?, ports.clock.clone()))
}

fn control(settings: &Settings, ports: &Ports) -> Option<backup_control::Context> {
    Some(backup_control::Context::new(settings, ports.objects.clone()?, ports.clock.clone()))
}
