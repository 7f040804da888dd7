//! The ports of the running binary: too long, too large and too slow requests are refused, and hold up nobody else.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;
use integration_tests::{
    highwater::{highwater, listener},
    process::Process,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const INVOKE: &str = "/2015-03-31/functions/metrics-consumer/invocations";
/// A client has ten seconds for a head, and as long for a body.
const CUT_OFF_WITHIN: Duration = Duration::from_secs(15);
/// More than a listener has connections at a time.
const CROWD: usize = 300;

struct Ports {
    _dev: Process,
    _folder: tempfile::TempDir,
    metrics: SocketAddr,
    query: SocketAddr,
    invoke: SocketAddr,
}

async fn ports() -> Ports {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dev = Process::start(&mut highwater(["dev", "--data-dir", &folder.path().to_string_lossy()]));
    let port = async |name| listener(&dev, name).await;
    let (metrics, query, invoke) = (port("metrics").await, port("query").await, port("invoke").await);
    Ports { _dev: dev, _folder: folder, metrics, query, invoke }
}

/// The status of the answer to a request as it stands; 0 when the connection was closed without one.
async fn status(address: SocketAddr, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("the port is open");
    // An answer that comes before the request was read to its end is an answer.
    let _ = stream.write_all(request).await;
    answered(&mut stream).await
}

async fn answered(stream: &mut TcpStream) -> u16 {
    let mut answer = vec![];
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut more = [0; 1024];
        match tokio::time::timeout(CUT_OFF_WITHIN, stream.read(&mut more)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(read)) => answer.extend_from_slice(&more[..read]),
            Err(_) => panic!("neither answered nor closed within {CUT_OFF_WITHIN:?}"),
        }
    }
    let head = String::from_utf8_lossy(&answer).into_owned();
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn post(target: &str, body_bytes: usize) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {body_bytes}\r\n\r\n"
    );
    [head.into_bytes(), vec![b' '; body_bytes]].concat()
}

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_bodies_have_limits_on_every_port() {
    let ports = ports().await;
    let long = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\nconnection: close\r\n\r\n", "x".repeat(20_000));
    for address in [ports.metrics, ports.query, ports.invoke] {
        assert_eq!(status(address, long.as_bytes()).await, 431, "{address}");
    }
    const MIB: usize = 1024 * 1024;
    for (address, target, limit) in
        [(ports.metrics, "/metrics", MIB), (ports.query, "/_/metrics/crr/all", MIB), (ports.invoke, INVOKE, 6 * MIB)]
    {
        assert_eq!(status(address, &post(target, limit + 1)).await, 413, "{target}");
        assert!(
            !matches!(status(address, &post(target, limit)).await, 0 | 413),
            "{target}: the limit itself is allowed"
        );
    }
    assert_eq!(status(ports.metrics, GET).await, 200);
}

/// What a web page can make a browser send: a form's POST, under the page's own name or from its own site.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_web_page_can_send_reaches_no_function_on_any_port() {
    let ports = ports().await;
    for (address, target) in
        [(ports.metrics, "/metrics"), (ports.query, "/_/highwater/api/pause/main"), (ports.invoke, INVOKE)]
    {
        let post = |more: &str| {
            format!("POST {target} HTTP/1.1\r\n{more}connection: close\r\ncontent-length: 2\r\n\r\n{{}}").into_bytes()
        };
        for refused in [
            "host: evil.example\r\n".to_owned(),
            format!("host: {address}\r\norigin: https://evil.example\r\n"),
            format!("host: {address}\r\norigin: null\r\n"),
        ] {
            assert_eq!(status(address, &post(&refused)).await, 403, "{target}: {refused}");
        }
        let own = format!("host: {address}\r\norigin: http://{address}\r\n");
        assert_ne!(status(address, &post(&own)).await, 403, "{target}");
    }
}

/// A client that sends a head byte by byte and never ends it: when it is cut off.
async fn dribble(address: SocketAddr) -> Duration {
    let since = Instant::now();
    let mut stream = TcpStream::connect(address).await.expect("the port is open");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.expect("the port takes bytes");
    let (mut reading, mut writing) = stream.split();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let dribble = async {
        loop {
            pace.tick().await;
            if writing.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    let mut rest = vec![];
    tokio::select! { () = dribble => {}, _ = reading.read_to_end(&mut rest) => {} }
    since.elapsed()
}

/// A body that stops in the middle: the status of the answer.
async fn stopped_body(address: SocketAddr, target: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("the port is open");
    let request = post(target, 100);
    stream.write_all(&request[..request.len() - 50]).await.expect("the port takes bytes");
    answered(&mut stream).await
}

/// More clients than there are connections, none of which says anything more: when somebody else is answered.
async fn crowd(address: SocketAddr) -> Duration {
    let since = Instant::now();
    let silent = |_| async move {
        let mut stream = TcpStream::connect(address).await.expect("the machine queues it");
        stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("the machine takes it");
        stream
    };
    let _crowd = join_all((0..CROWD).map(silent)).await;
    assert_ne!(status(address, GET).await, 0);
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_off_and_hold_no_port() {
    let ports = ports().await;
    let others = async {
        let since = Instant::now();
        assert_eq!(status(ports.metrics, GET).await, 200);
        since.elapsed()
    };
    let (dribbled, crowded, refused, called, beside) = tokio::join!(
        dribble(ports.metrics),
        crowd(ports.query),
        stopped_body(ports.metrics, "/metrics"),
        stopped_body(ports.invoke, INVOKE),
        others,
    );
    assert!(dribbled < CUT_OFF_WITHIN, "cut off after {dribbled:?}");
    assert!(crowded < CUT_OFF_WITHIN, "answered after {crowded:?}");
    assert_eq!((refused, called), (408, 408));
    assert!(beside < Duration::from_secs(2), "answered beside a slow client after {beside:?}");
}
