//! A plain HTTP client: one request, one connection, the target sent as it is given.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head: status line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Asks for a target; an error says what went wrong.
pub async fn get(address: SocketAddr, target: &str) -> Result<Answer, String> {
    send(address, &format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await
}

/// Posts nothing to a target.
pub async fn post(address: SocketAddr, target: &str) -> Result<Answer, String> {
    let head = "host: localhost\r\nconnection: close\r\ncontent-length: 0";
    send(address, &format!("POST {target} HTTP/1.1\r\n{head}\r\n\r\n")).await
}

/// Sends a request as it stands, and reads the answer to its end.
pub async fn send(address: SocketAddr, request: &str) -> Result<Answer, String> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, exchange(address, request)).await;
    let answer = answer.map_err(|_| format!("{address} did not answer within {ANSWER_TIMEOUT:?}"))?;
    parse(&answer.map_err(|error| format!("{address}: {error}"))?)
}

async fn exchange(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = vec![];
    stream.read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(answer: &str) -> Result<Answer, String> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no HTTP answer: {answer:?}"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("no status: {head:?}"))?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
