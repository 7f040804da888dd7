//! The event gateway over HTTP: one POST a push.

use std::{path::Path, time::Duration};

use async_trait::async_trait;

use super::{
    http_client::{HttpClient, part},
    trust::{TrustError, trusting},
};
use crate::{
    config::secret::Secret,
    metrics::push::{Body, Push},
    ports::event_gateway::{EventGateway, PushError},
};

/// A job never waits for this, but the next push does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A gateway at a base URL, `http://host:port`.
#[derive(Debug)]
pub struct HttpGateway {
    client: HttpClient,
    url: String,
    token: Option<Secret>,
}

impl HttpGateway {
    /// A gateway at this address, the authority of its certificate, and the token that it wants (`listen.token`). No request
    /// is made yet.
    ///
    /// # Errors
    /// When the file of the authority cannot be used.
    pub fn new(url: String, ca_file: Option<&Path>, token: Option<Secret>) -> Result<Self, TrustError> {
        let trust = trusting("event_gateway.ca_file", ca_file)?;
        Ok(HttpGateway { client: HttpClient::trusting(trust, CONNECT_TIMEOUT, ANSWER_TIMEOUT), url, token })
    }

    fn request(&self, push: &Push) -> http::request::Builder {
        let request = http::Request::post(format!("{}{}", self.url, path(push)));
        let request = request.header("content-type", "application/json");
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }
}

/// What a push brings.
pub(super) fn body(push: &Push) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Body { timestamp: Some(push.timestamp), sequence: push.sequence, ..push.body.clone() })
}

/// The route of a push.
pub(super) fn path(push: &Push) -> String {
    let Push { kind, namespace, name, uuid, topic, event, .. } = push;
    let [namespace, name, uuid, topic] = [namespace, name, uuid, topic].map(|text| part(text));
    format!("/namespaces/{namespace}/{kind}/{name}/{uuid}/topics/{topic}/{event}")
}

#[async_trait]
impl EventGateway for HttpGateway {
    async fn push(&self, push: &Push) -> Result<(), PushError> {
        let unavailable = |reason: String| PushError::Unavailable { url: self.url.clone(), reason };
        let body = body(push).map_err(|error| unavailable(error.to_string()))?;
        let answer = self.client.send(self.request(push), Some(body)).await.map_err(unavailable)?;
        outcome(self.url.clone(), answer.status, answer.shown())
    }
}

/// What a gateway's answer means.
pub(super) fn outcome(url: String, status: u16, answer: String) -> Result<(), PushError> {
    match status {
        200..=299 => Ok(()),
        408 | 429 | 500..=599 => Err(PushError::Unavailable { url, reason: format!("{status} {answer}") }),
        status => Err(PushError::Refused { url, status, answer }),
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
