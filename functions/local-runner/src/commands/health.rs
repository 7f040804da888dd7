//! `highwater health`: whether the `serve` of these settings on this machine answers. A container engine asks it.

use std::{net::SocketAddr, time::Duration};

use serde::Serialize;
use shared::{adapters::settings, config::listen::Listen};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    cli::OutputArgs,
    failure::{Failure, Verdict},
    output::{self, Report},
};

const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// An answer begins with a line like `HTTP/1.1 200 OK`.
const STATUS_LINE_BYTES: usize = 12;

#[derive(Debug, Serialize)]
pub(super) struct Health {
    pub(super) healthy: bool,
    pub(super) address: String,
    /// What is wrong.
    pub(super) problem: Option<String>,
}

pub(super) async fn run(config: Option<&str>, args: OutputArgs) -> Result<Verdict, Failure> {
    let settings = settings::load(config).await?;
    let Listen::At(listener) = &settings.listen.metrics else {
        return Err(Failure::Usage("listen.metrics is \"off\": there is nothing to ask".to_owned()));
    };
    let address = reachable(listener);
    let asked = tokio::time::timeout(ANSWER_WITHIN, ask(&address)).await;
    let problem = match asked {
        Ok(Ok(200)) => None,
        Ok(Ok(status)) => Some(format!("it answers {status}")),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
    };
    let health = Health { healthy: problem.is_none(), address, problem };
    let verdict = if health.healthy { Verdict::Good } else { Verdict::Wrong };
    output::print(&health, args.json)?;
    Ok(verdict)
}

/// A listener on every address is asked on the loopback.
fn reachable(listener: &str) -> String {
    match listener.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() && address.is_ipv4() => format!("127.0.0.1:{}", address.port()),
        Ok(address) if address.ip().is_unspecified() => format!("[::1]:{}", address.port()),
        _ => listener.to_owned(),
    }
}

/// The status of `/healthz`.
async fn ask(address: &str) -> Result<u16, std::io::Error> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; STATUS_LINE_BYTES];
    stream.read_exact(&mut line).await?;
    let status = std::str::from_utf8(&line).ok().and_then(|line| line.rsplit(' ').next()?.parse().ok());
    status.ok_or_else(|| std::io::Error::other("what listens there does not speak HTTP"))
}

impl Report for Health {
    const SCHEMA: &'static str = "highwater.health.v1";

    fn text(&self) -> String {
        match &self.problem {
            None => format!("healthy at {}\n", self.address),
            Some(problem) => format!("not healthy at {}: {problem}\n", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_on_every_address_is_asked_on_the_loopback() {
        assert_eq!(reachable("0.0.0.0:9000"), "127.0.0.1:9000");
        assert_eq!(reachable("[::]:9000"), "[::1]:9000");
        assert_eq!(reachable("10.0.0.1:9000"), "10.0.0.1:9000");
        assert_eq!(reachable("localhost:9000"), "localhost:9000");
    }

    #[tokio::test]
    async fn the_status_is_read_from_the_answer() {
        for (answer, status) in
            [("HTTP/1.1 200 OK\r\n\r\n", Some(200)), ("HTTP/1.1 503 No\r\n\r\n", Some(503)), ("hello, world", None)]
        {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let serving = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 256];
                let length = stream.read(&mut request).await.unwrap();
                assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
            assert_eq!(ask(&address).await.ok(), status);
            serving.await.unwrap();
        }
    }
}
