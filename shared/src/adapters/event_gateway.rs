//! The event gateway over HTTP: one POST a push.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_http_client::{
    Connector,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    config::secret::Secret,
    metrics::push::{Body, Push},
    ports::event_gateway::{EventGateway, PushError},
};

/// A job never waits for this, but the next push does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// So much of a refusal is shown.
const ANSWER_CHARS_MAX: usize = 200;
/// What needs no encoding in a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A gateway at a base URL, `http://host:port`.
#[derive(Debug)]
pub struct HttpGateway {
    connector: Connector,
    url: String,
    token: Option<Secret>,
}

impl HttpGateway {
    /// A gateway at this address, and the token that it wants (`listen.token`). No request is made yet.
    #[must_use]
    pub fn new(url: String, token: Option<Secret>) -> Self {
        let connector = Connector::builder()
            .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
            .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
            .build();
        HttpGateway { connector, url, token }
    }

    fn request(&self, push: &Push) -> Result<HttpRequest, Box<dyn std::error::Error + Send + Sync>> {
        let body = Body { timestamp: Some(push.timestamp), sequence: push.sequence, ..push.body.clone() };
        let body = SdkBody::from(serde_json::to_vec(&body)?);
        let mut request = http::Request::post(format!("{}{}", self.url, path(push)));
        request = request.header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        Ok(HttpRequest::try_from(request.body(body)?)?)
    }

    async fn send(&self, push: &Push) -> Result<(u16, Vec<u8>), Box<dyn std::error::Error + Send + Sync>> {
        let mut response = self.connector.call(self.request(push)?).await?;
        let body = ByteStream::new(response.take_body()).collect().await?;
        Ok((response.status().as_u16(), body.to_vec()))
    }
}

/// The route of a push.
fn path(push: &Push) -> String {
    let part = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let Push { kind, namespace, name, uuid, topic, event, .. } = push;
    let [namespace, name, uuid, topic] = [namespace, name, uuid, topic].map(|text| part(text));
    format!("/namespaces/{namespace}/{kind}/{name}/{uuid}/topics/{topic}/{event}")
}

#[async_trait]
impl EventGateway for HttpGateway {
    async fn push(&self, push: &Push) -> Result<(), PushError> {
        let unavailable = |reason: String| PushError::Unavailable { url: self.url.clone(), reason };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.send(push)).await;
        let answer = answer.map_err(|_| unavailable(format!("nothing came within {} s", ANSWER_TIMEOUT.as_secs())))?;
        let (status, body) = answer.map_err(|error| unavailable(error.to_string()))?;
        let shown = || String::from_utf8_lossy(&body).chars().take(ANSWER_CHARS_MAX).collect();
        match status {
            200..=299 => Ok(()),
            408 | 429 | 500..=599 => Err(unavailable(format!("{status} {}", shown()))),
            _ => Err(PushError::Refused { url: self.url.clone(), status, answer: shown() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_stands_in_the_path_as_one_part() {
        let push: Push = serde_json::from_value(json!({
            "timestamp": 1, "kind": "restores", "namespace": "a/b", "name": "ü?", "uuid": "..", "topic": "%2F", "event": "stopped"
        }))
        .unwrap();
        assert_eq!(path(&push), "/namespaces/a%2Fb/restores/%C3%BC%3F/../topics/%252F/stopped");
    }
}
