//! A listener and its connections, every one of them limited.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use http::{HeaderValue, header};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use shared::{
    config::{
        environment::variable_of,
        listen::{Listen, ListenSettings},
        secret::Secret,
    },
    web::guard::{Guard, Sender},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    answer,
    tls::{Connection, Tls, TlsError},
};

/// How many connections a listener has at a time; more wait in the machine's queue.
const CONNECTIONS_MAX: usize = 256;
/// How long a client may take to send a request's head, and how long a connection may be idle.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request's head may be; a longer one is answered 431.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// How long requests under way have when the listener closes.
const REQUESTS_END_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An open port that nothing is accepted on yet, with the guard that every request passes.
pub struct Listening {
    socket: TcpListener,
    address: SocketAddr,
    guard: Guard,
    tls: Option<Tls>,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

/// Why a port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has it.
    #[error(
        "listen.{name} is {address}, and that port is in use: stop the program that has it, or set listen.{name} \
         ({variable}) to another address or \"off\""
    )]
    InUse {
        /// Which listener.
        name: &'static str,
        /// Its address.
        address: String,
        /// The setting as a variable.
        variable: String,
    },
    /// The address cannot be listened on.
    #[error(
        "listen.{name} is {address}, which cannot be listened on: set it ({variable}) to another address or \"off\""
    )]
    Unusable {
        /// Which listener.
        name: &'static str,
        /// Its address.
        address: String,
        /// The setting as a variable.
        variable: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Opens the port of the listener `name` at its address, unless that is off.
pub async fn bind(
    name: &'static str,
    at: &Listen,
    settings: &ListenSettings,
) -> Result<Option<Listening>, ListenError> {
    let Listen::At(address) = at else { return Ok(None) };
    let failed = |source: io::Error| {
        let variable = variable_of(&["listen".to_owned(), name.to_owned()]);
        match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse { name, address: address.clone(), variable },
            _ => ListenError::Unusable { name, address: address.clone(), variable, source },
        }
    };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    let guard = Guard::of_listener(settings, at, address);
    let tls = Tls::load(settings).await?;
    Ok(Some(Listening { socket, address, guard, tls }))
}

impl Listening {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `stop`, then lets those under way end.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let connections = TaskTracker::new();
        let router = router.layer(from_fn_with_state(Arc::new(self.guard), guarded));
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let tls = self.tls.map(Arc::new);
        while let Some((stream, peer, permit)) = accept(&self.socket, &permits, &stop).await {
            let router = router.clone().layer(Extension(Peer(peer)));
            let (tls, stop) = (tls.clone(), stop.clone());
            connections.spawn(async move {
                let _permit = permit;
                match stop.run_until_cancelled(connected(stream, peer, tls)).await {
                    None => {}
                    Some(Ok(Connection::Plain(stream))) => serve(stream, router, stop).await,
                    Some(Ok(Connection::Secured(stream))) => serve(*stream, router, stop).await,
                    Some(Err(error)) => {
                        tracing::debug!(%peer, error = &error as &dyn std::error::Error, "a connection is not taken: {error}");
                    }
                }
            });
        }
        drop(self.socket);
        connections.close();
        if tokio::time::timeout(REQUESTS_END_TIMEOUT, connections.wait()).await.is_err() {
            tracing::warn!(address = %self.address, "requests were cut off after {REQUESTS_END_TIMEOUT:?}");
        }
    }
}

/// Lets a request through that the guard lets in.
async fn guarded(State(guard): State<Arc<Guard>>, request: http::Request<Body>, next: Next) -> Response {
    let method = request.method().as_str().to_owned();
    match guard.check(&method, &sender(&request)) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            tracing::debug!(method, target = %request.uri(), "a request is refused: {refusal}");
            answer::response(refusal.answer(&method))
        }
    }
}

/// What the request tells of who sent it. A value that is no text is no name that anybody knows.
fn sender(request: &http::Request<Body>) -> Sender {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let header = |name| request.headers().get(name).map(text);
    let in_target = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let in_headers = request.headers().get_all(header::HOST).iter().map(text);
    Sender {
        client: request.extensions().get().map(|Peer(address)| address.ip()),
        hosts: in_target.into_iter().chain(in_headers).collect(),
        origin: header(header::ORIGIN),
        authorization: header(header::AUTHORIZATION).map(Secret::new),
    }
}

async fn accept(
    socket: &TcpListener,
    permits: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = async { (permits.clone().acquire_owned().await, socket.accept().await) } => accepted,
        };
        match accepted {
            (Ok(permit), Ok((stream, peer))) => return Some((stream, peer, permit)),
            (_, Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection was not accepted")
            }
            (Err(_), _) => return None,
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// The connection, secured where its client asks for that or has to.
async fn connected(stream: TcpStream, peer: SocketAddr, tls: Option<Arc<Tls>>) -> io::Result<Connection> {
    match tls {
        Some(tls) => {
            let is_own = stream.local_addr().is_ok_and(|own| own.ip() == peer.ip());
            let accepting = tls.accept(stream, is_own || peer.ip().to_canonical().is_loopback());
            tokio::time::timeout(HEADER_READ_TIMEOUT, accepting).await?
        }
        None => Ok(Connection::Plain(stream)),
    }
}

/// One connection. A client that breaks it off is no concern of the server's.
async fn serve<S>(stream: S, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn loopback() -> Listen {
        Listen::At("127.0.0.1:0".into())
    }

    async fn answer(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_its_setting() {
        let first = bind("metrics", &loopback(), &ListenSettings::default()).await.unwrap().unwrap();
        let taken = Listen::At(first.address().to_string());
        let error = bind("query", &taken, &ListenSettings::default()).await.err().unwrap().to_string();
        let address = first.address();
        let expected = format!("listen.query is {address}, and that port is in use");
        assert!(error.starts_with(&expected) && error.contains("HIGHWATER_LISTEN_QUERY"), "{error}");
    }

    /// Backbeat's server ignores the host that it is given, and listens on every address.
    #[tokio::test]
    async fn a_listener_is_reached_at_its_own_address_and_at_no_other() {
        let at = Listen::At("127.0.0.2:0".into());
        let listening = bind("query", &at, &ListenSettings::default()).await.unwrap().unwrap();
        let address = listening.address();
        assert_eq!(address.ip().to_string(), "127.0.0.2");
        assert!(TcpStream::connect(address).await.is_ok());
        let elsewhere = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], address.port()))).await;
        assert_eq!(elsewhere.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_listener_that_is_off_is_not_opened() {
        assert!(bind("metrics", &Listen::Off, &ListenSettings::default()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn requests_of_other_sites_pages_reach_no_route() {
        let listening = bind("query", &loopback(), &ListenSettings::default()).await.unwrap().unwrap();
        let (address, stop) = (listening.address(), CancellationToken::new());
        let router = Router::new().route("/pause", post(|| async { "paused" }));
        let server = tokio::spawn(listening.serve(router, stop.clone()));
        let send = async |more: &str| {
            let request = format!("POST /pause HTTP/1.1\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n");
            answer(address, request.as_bytes()).await
        };
        assert!(send(&format!("host: {address}\r\n")).await.ends_with("paused"));
        assert!(send(&format!("host: {address}\r\norigin: http://{address}\r\n")).await.ends_with("paused"));
        for refused in [
            "host: evil.example\r\n".to_owned(),
            format!("host: {address}\r\nhost: evil.example\r\n"),
            format!("host: {address}\r\norigin: https://evil.example\r\n"),
            format!("host: {address}\r\norigin: null\r\n"),
        ] {
            let answer = send(&refused).await;
            assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("AccessDenied"), "{refused}: {answer}");
        }
        let other_target = "POST http://evil.example/pause HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        assert!(answer(address, other_target.as_bytes()).await.starts_with("HTTP/1.1 403"));
        stop.cancel();
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_listener_that_other_machines_reach_changes_nothing_without_its_token() {
        let settings = ListenSettings { token: Some(Secret::new("0123456789abcdef")), ..ListenSettings::default() };
        for (settings, token, status) in [
            (&ListenSettings::default(), "", 403),
            (&settings, "", 401),
            (&settings, "authorization: Bearer 0123456789abcdeX\r\n", 401),
            (&settings, "authorization: Bearer 0123456789abcdef\r\n", 200),
        ] {
            let listening = bind("query", &Listen::At("0.0.0.0:0".into()), settings).await.unwrap().unwrap();
            let (port, stop) = (listening.address().port(), CancellationToken::new());
            let server = tokio::spawn(listening.serve(Router::new().route("/", post(|| async {})), stop.clone()));
            let request =
                format!("POST / HTTP/1.1\r\nhost: localhost\r\n{token}content-length: 0\r\nconnection: close\r\n\r\n");
            let answer = answer(([127, 0, 0, 1], port).into(), request.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{token}: {answer}");
            stop.cancel();
            server.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused_and_the_next_request_answered() {
        let listening = bind("metrics", &loopback(), &ListenSettings::default()).await.unwrap().unwrap();
        let (address, stop) = (listening.address(), CancellationToken::new());
        let router = Router::new().route("/", get(|| async { "well" }));
        let server = tokio::spawn(listening.serve(router, stop.clone()));
        let long =
            format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\nconnection: close\r\n\r\n", "x".repeat(20_000));
        assert!(answer(address, long.as_bytes()).await.starts_with("HTTP/1.1 431"));
        let good = answer(address, b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        assert!(good.starts_with("HTTP/1.1 200") && good.ends_with("well"), "{good}");
        stop.cancel();
        server.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
