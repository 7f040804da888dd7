//! Traces and figures to an OpenTelemetry collector, by OTLP over HTTP. It is best effort: spans wait in a bounded queue, the
//! SDK's own threads send them, and what does not fit or does not arrive is gone. Nothing waits for it but the end of a
//! process, for two seconds at most.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter, MeterProvider as _},
    trace::TracerProvider as _,
};
use opentelemetry_http::HttpError;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    metrics::{Instrument, PeriodicReader, SdkMeterProvider, Stream},
    trace::{SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;

use super::http_client::HttpClient;
use crate::{
    config::storage::EndpointUrl,
    metrics::exposition::{Shown, read},
};

const SERVICE: &str = "highwater";
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often figures are sent.
const EVERY: Duration = Duration::from_secs(10);
/// How long the end of a process waits for what is not sent yet.
const END_WITHIN: Duration = Duration::from_secs(2);
/// Series of one name: more than `/metrics` has of any.
const SERIES_MAX: usize = 100_000;

/// What makes spans of [`tracing`] into traces.
pub type TraceLayer = OpenTelemetryLayer<Registry, SdkTracer>;

/// A connection to a collector. Its clones are the same connection.
#[derive(Clone)]
pub struct Otlp {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    meter: Meter,
    shown: Figures,
}

/// The figures that were shown last, by name. A name stays when it has no series any more.
type Figures = Arc<Mutex<BTreeMap<String, Shown>>>;

impl Otlp {
    /// Begins to send to the collector at this address, from the process of this name. Must be called on a runtime, which the
    /// requests are made on.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn start(url: &EndpointUrl, instance: &str) -> Result<Otlp, ExporterBuildError> {
        let client =
            Client { http: Arc::new(HttpClient::new(CONNECT_TIMEOUT, ANSWER_TIMEOUT)), runtime: Handle::current() };
        let resource = Resource::builder()
            .with_service_name(SERVICE)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
            .build();
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{url}/v1/traces"))
            .build()?;
        let figures = MetricExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{url}/v1/metrics"))
            .build()?;
        let many = |_: &Instrument| Stream::builder().with_cardinality_limit(SERIES_MAX).build().ok();
        let metrics = SdkMeterProvider::builder()
            .with_reader(PeriodicReader::builder(figures).with_interval(EVERY).build())
            .with_view(many)
            .with_resource(resource.clone())
            .build();
        let traces = SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource).build();
        Ok(Otlp { traces, meter: metrics.meter(SERVICE), metrics, shown: Figures::default() })
    }

    /// What makes traces of this process's spans.
    #[must_use]
    pub fn layer(&self) -> TraceLayer {
        OpenTelemetryLayer::new(self.traces.tracer(SERVICE)).with_location(false).with_threads(false)
    }

    /// Sends the figures of this page from now on, under their own names; those of an empty page are none.
    pub fn show(&self, page: &str) {
        let mut new = read(page);
        let is_new = |name: &str| !self.held().contains_key(name);
        let names: Vec<&String> = new.keys().filter(|name| is_new(name)).collect();
        // The SDK holds its own lock while it asks for values, and wants it here too: so ours is not held meanwhile.
        names.into_iter().for_each(|name| self.instrument(name, &new[name]));
        let mut shown = self.held();
        shown.values_mut().for_each(|figures| figures.series.clear());
        shown.append(&mut new);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The SDK asks for the values of a name when it sends them.
    fn instrument(&self, name: &str, figures: &Shown) {
        let (held, key) = (self.shown.clone(), name.to_owned());
        let observe = move |observer: &dyn AsyncInstrument<f64>| {
            let shown = held.lock().unwrap_or_else(PoisonError::into_inner);
            for (labels, value) in shown.get(&key).into_iter().flat_map(|figures| &figures.series) {
                let labels: Vec<KeyValue> =
                    labels.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone())).collect();
                observer.observe(*value, &labels);
            }
        };
        let (name, help) = (name.to_owned(), figures.help.clone());
        if figures.is_counter {
            self.meter.f64_observable_counter(name).with_description(help).with_callback(observe).build();
        } else {
            self.meter.f64_observable_gauge(name).with_description(help).with_callback(observe).build();
        }
    }

    /// Sends what is not sent yet, if the collector takes it in time, and nothing after that.
    pub async fn end(self) {
        let Otlp { traces, metrics, .. } = self;
        let ends = [
            tokio::task::spawn_blocking(move || traces.shutdown_with_timeout(END_WITHIN).is_ok()),
            tokio::task::spawn_blocking(move || metrics.shutdown_with_timeout(END_WITHIN).is_ok()),
        ];
        let both = tokio::time::timeout(END_WITHIN, futures::future::join_all(ends)).await;
        if !both.is_ok_and(|ended| ended.into_iter().all(|sent| sent.is_ok_and(|sent| sent))) {
            tracing::debug!("not everything was sent to the OpenTelemetry collector");
        }
    }
}

/// The client that everything here uses. The SDK's threads belong to no runtime, so requests are made on the process's.
#[derive(Debug, Clone)]
struct Client {
    http: Arc<HttpClient>,
    runtime: Handle,
}

#[async_trait]
impl opentelemetry_http::HttpClient for Client {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let mut request = http::Request::builder().method(head.method).uri(head.uri);
        for (name, value) in &head.headers {
            request = request.header(name, value);
        }
        let http = self.http.clone();
        let answer = self.runtime.spawn(async move { http.send(request, Some(body.to_vec())).await }).await??;
        Ok(http::Response::builder().status(answer.status).body(answer.body.into())?)
    }
}
