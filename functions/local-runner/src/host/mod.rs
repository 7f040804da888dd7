//! What hosts the functions: settings become ports, ports become the functions' contexts, and all functions stand in one
//! table. [`triggers`] start them.

mod call;
pub mod functions;
pub mod hosted;
pub mod instance;
pub mod listeners;
pub mod ports;
pub mod readiness;
pub mod signals;
pub mod triggers;

use std::sync::Arc;

use shared::config::Settings;

use self::{
    functions::Functions,
    hosted::{Function, Hosted},
    ports::Ports,
};
use crate::failure::Failure;

/// The hosted functions.
pub struct Host {
    /// The table.
    pub functions: Arc<Functions>,
    /// segment-writer's context, where it is hosted.
    pub writer: Option<Arc<segment_writer::Context>>,
    /// metrics-query's context, where it is hosted.
    pub query: Option<metrics_query::Context>,
    /// The ports.
    pub ports: Ports,
}

impl Host {
    /// Makes the contexts of the hosted functions and their table. `instance` is this process's name, which no other run of
    /// it has.
    pub fn new(settings: &Settings, hosted: &Hosted, ports: Ports, instance: &str) -> Result<Self, Failure> {
        let writer = hosted.has(Function::SegmentWriter).then(|| writer(settings, &ports, instance)).flatten();
        let query = hosted.has(Function::MetricsQuery).then(|| query(settings, &ports)).flatten();
        let mut functions = Functions::default();
        if let Some(context) = writer.clone() {
            functions = functions.with(Function::SegmentWriter.name(), move |payload| {
                let context = context.clone();
                async move { call::segment_writer(payload, &context).await }
            });
        }
        Ok(Host { functions: Arc::new(functions), writer, query, ports })
    }
}

fn writer(settings: &Settings, ports: &Ports, instance: &str) -> Option<Arc<segment_writer::Context>> {
    let limits = segment_writer::Limits {
        refresh: std::time::Duration::from_secs(settings.metrics.refresh_s.into()),
        ..segment_writer::Limits::default()
    };
    Some(segment_writer::Context::new(
        ports.kafka.clone()?,
        ports.objects.clone()?,
        ports.clock.clone(),
        segment_writer::Backup::all(settings),
        &settings.metrics.topic,
        instance,
        limits,
    ))
}

fn query(settings: &Settings, ports: &Ports) -> Option<metrics_query::Context> {
    Some(metrics_query::Context::new(settings, ports.store.clone()?, ports.clock.clone()))
}
