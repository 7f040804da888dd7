//! Traces and figures reach an OpenTelemetry collector, and one that does not answer holds nothing up.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use integration_tests::{
    eventually::eventually,
    highwater::{highwater, listener},
    http,
    process::Process,
};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    metrics::v1::{metric::Data, number_data_point::Value},
};
use tokio::net::TcpListener;

const WITHIN: Duration = Duration::from_secs(60);
const END_WITHIN: Duration = Duration::from_secs(30);

/// What a collector got.
#[derive(Default)]
struct Received {
    spans: BTreeSet<String>,
    services: BTreeSet<String>,
    /// Name, value of the label `topic`, and value.
    figures: Vec<(String, String, f64, bool)>,
}

type Collector = Arc<Mutex<Received>>;

fn decoded<M: prost::Message + Default>(headers: &HeaderMap, body: Bytes) -> M {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    M::decode(body).expect("a request of OTLP")
}

async fn traces(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    let request: ExportTraceServiceRequest = decoded(&headers, body);
    let mut received = collector.lock().expect("no test panicked");
    for of_resource in request.resource_spans {
        let attributes = of_resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let name = attributes.iter().find(|attribute| attribute.key == "service.name");
        received.services.insert(format!("{:?}", name.and_then(|name| name.value.clone())));
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        for span in spans {
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano && span.trace_id.len() == 16);
            let of = span.attributes.iter().find(|attribute| attribute.key == "name");
            received.spans.insert(format!("{} {:?}", span.name, of.and_then(|of| of.value.clone())));
        }
    }
}

async fn figures(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    let request: ExportMetricsServiceRequest = decoded(&headers, body);
    let mut received = collector.lock().expect("no test panicked");
    let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    for metric in scopes.flat_map(|scope| scope.metrics) {
        let (points, is_counter) = match metric.data {
            Some(Data::Gauge(gauge)) => (gauge.data_points, false),
            Some(Data::Sum(sum)) => (sum.data_points, sum.is_monotonic),
            other => panic!("{other:?}"),
        };
        for point in points {
            let Some(Value::AsDouble(value)) = point.value else { panic!("{point:?}") };
            let topic = point.attributes.iter().find(|attribute| attribute.key == "topic");
            let topic = topic.map(|topic| format!("{:?}", topic.value)).unwrap_or_default();
            received.figures.push((metric.name.clone(), topic, value, is_counter));
        }
    }
}

async fn collector() -> (Collector, SocketAddr) {
    let collector = Collector::default();
    let router = Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(figures))
        .with_state(collector.clone());
    let listening = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listening.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listening, router).await });
    (collector, address)
}

fn dev(folder: &std::path::Path, collector: SocketAddr) -> Process {
    let mut command = highwater(["dev", "--data-dir", &folder.to_string_lossy()]);
    // Spans are made where the level of the logs has them.
    command.env("HIGHWATER_OTLP_URL", format!("http://{collector}")).env("RUST_LOG", "warn,local_runner=info");
    Process::start(&mut command)
}

async fn moves(server: &Process) {
    let metrics = listener(server, "metrics").await;
    eventually("stored records", WITHIN, || async {
        let page = http::get(metrics, "/metrics").await?;
        if page.body.contains("backup_sink_records_count{topic=\"orders\"}") { Ok(()) } else { Err(page.body) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_runs_of_functions_and_the_figures_of_the_metrics_page() {
    let (collector, address) = collector().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = dev(folder.path(), address);
    eventually("traces and figures", WITHIN, || async {
        let received = collector.lock().expect("no test panicked");
        let is_counted = |(name, topic, value, is_counter): &(String, String, f64, bool)| {
            name == "backup_sink_records_count_total" && topic.contains("orders") && *value > 0.0 && *is_counter
        };
        let is_there =
            |name: &str| received.spans.iter().any(|span| span.starts_with("function ") && span.contains(name));
        let progress =
            received.figures.iter().any(|(name, .., is_counter)| name == "backup_topic_progress" && !is_counter);
        if received.figures.iter().any(is_counted)
            && progress
            && is_there("lag-monitor")
            && is_there("metrics-aggregator")
        {
            return Ok(());
        }
        Err(format!("{:?} and {} figures", received.spans, received.figures.len()))
    })
    .await;
    assert!(collector.lock().expect("no test panicked").services.iter().all(|name| name.contains("highwater")));
    server.interrupt();
    assert!(server.ended(END_WITHIN).await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_takes_connections_and_never_answers_holds_nothing_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = dev(folder.path(), silent.local_addr().expect("its address"));
    moves(&server).await;
    let (connection, _) = silent.accept().await.expect("a connection");
    server.interrupt();
    assert!(server.ended(END_WITHIN).await.success(), "{}", server.output().join("\n"));
    drop(connection);
}
