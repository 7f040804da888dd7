//! Requests over HTTP to services that have no client of their own, through the client that the AWS SDK brings along.

use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_http_client::{
    Connector,
    tls::{self, TlsContext, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector as _, HttpConnectorSettings},
        orchestrator::HttpRequest,
    },
    http::Headers,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// So much of an answer is shown in an error.
const ANSWER_CHARS_MAX: usize = 200;
/// What needs no encoding in a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client; no request is made before it is told to.
#[derive(Debug)]
pub(super) struct HttpClient {
    connector: Connector,
    answer_timeout: Duration,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl HttpClient {
    /// A client that trusts the platform's authorities.
    pub(super) fn new(connect_timeout: Duration, answer_timeout: Duration) -> Self {
        Self::trusting(TlsContext::default(), connect_timeout, answer_timeout)
    }

    pub(super) fn trusting(trust: TlsContext, connect_timeout: Duration, answer_timeout: Duration) -> Self {
        let connector = Connector::builder()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .tls_context(trust)
            .connector_settings(HttpConnectorSettings::builder().connect_timeout(connect_timeout).build())
            .build();
        HttpClient { connector, answer_timeout }
    }

    /// Sends a request and reads its answer, whatever its status; the error says why there is none.
    pub(super) async fn send(&self, request: http::request::Builder, body: Option<Vec<u8>>) -> Result<Answer, String> {
        let within = self.answer_timeout;
        let body = body.map_or_else(SdkBody::empty, SdkBody::from);
        let exchange = async { self.exchange(HttpRequest::try_from(request.body(body)?)?).await };
        let answer = tokio::time::timeout(within, exchange).await;
        let answer = answer.map_err(|_| format!("nothing came within {} s", within.as_secs()))?;
        answer.map_err(|error| error.to_string())
    }

    /// Sends a request and reads its answer, whatever its status, for as long as that takes.
    pub(super) async fn exchange(&self, request: HttpRequest) -> Result<Answer, BoxError> {
        let mut response = self.connector.call(request).await?;
        let body = ByteStream::new(response.take_body()).collect().await?.to_vec();
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }
}

impl Answer {
    /// The beginning of the body, for an error.
    pub(super) fn shown(&self) -> String {
        shown(&self.body)
    }
}

/// The beginning of an answer's body, for an error.
pub(super) fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(ANSWER_CHARS_MAX).collect()
}

/// A text as one part of a path.
pub(super) fn part(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}
