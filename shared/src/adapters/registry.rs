//! A schema registry over HTTP, by Confluent's documented API.

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    http_client::{Answer, HttpClient, part},
    trust::{TrustError, trusting},
};
use crate::{
    config::RegistrySettings,
    ports::registry::{Place, Registry, RegistryError, Schema, Setting, Version},
};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a question is asked before the registry counts as away.
const ATTEMPTS_MAX: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// What a registry says of what is not there, or does not know.
const NOT_THERE: [u16; 3] = [404, 405, 501];

/// A schema registry at a base URL.
#[derive(Debug)]
pub struct HttpRegistry {
    client: HttpClient,
    url: String,
    authorization: Option<String>,
}

/// An error as the API has it.
#[derive(Deserialize)]
struct ApiError {
    error_code: u32,
    message: String,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

impl HttpRegistry {
    /// The registry of these settings, which are the section's of this name. No request is made yet.
    ///
    /// # Errors
    /// When the file of its authority cannot be used.
    pub fn new(section: &str, settings: &RegistrySettings) -> Result<Self, TrustError> {
        let trust = trusting(&format!("{section}.ca_file"), settings.ca_file.as_deref())?;
        let basic = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let authorization = match (&settings.token, &settings.username, &settings.password) {
            (Some(token), ..) => Some(format!("Bearer {}", token.reveal())),
            (None, Some(user), password) => Some(basic(user, password.as_ref().map_or("", |it| it.reveal()))),
            (None, None, _) => None,
        };
        Ok(HttpRegistry {
            client: HttpClient::trusting(trust, CONNECT_TIMEOUT, ANSWER_TIMEOUT),
            url: settings.url.trim_end_matches('/').to_owned(),
            authorization,
        })
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let request = http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = request.header("accept", CONTENT_TYPE).header("content-type", CONTENT_TYPE);
        match &self.authorization {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        }
    }

    async fn ask_once(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, RegistryError> {
        let what = || format!("{method} {path}");
        let unavailable = |reason: String| RegistryError::Unavailable { what: what(), url: self.url.clone(), reason };
        let body = body.map(|body| body.to_string().into_bytes());
        let answer = self.client.send(self.request(method, path), body).await.map_err(unavailable)?;
        match answer.status {
            408 | 429 | 500 | 502..=599 => Err(unavailable(format!("{} {}", answer.status, answer.shown()))),
            _ => Ok(answer),
        }
    }

    /// Asks, some times where the registry is away. Everything that is asked may be asked twice.
    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, RegistryError> {
        let (mut attempt, mut pause) = (1, FIRST_PAUSE);
        loop {
            match self.ask_once(method, path, body).await {
                Err(error) if error.retry() && attempt < ATTEMPTS_MAX => {}
                answer => return answer,
            }
            tokio::time::sleep(pause).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    /// Asks for something that may not be there.
    async fn get<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<Option<T>, RegistryError> {
        let what = format!("GET {path}");
        let answer = self.ask("GET", path, None).await?;
        if NOT_THERE.contains(&answer.status) { Ok(None) } else { answer.read(&what).map(Some) }
    }
}

impl Answer {
    fn check(&self, what: &str) -> Result<(), RegistryError> {
        if (200..300).contains(&self.status) {
            return Ok(());
        }
        let known = serde_json::from_slice::<ApiError>(&self.body);
        let (code, reason) = match known {
            Ok(error) => (error.error_code, error.message),
            Err(_) => (self.status.into(), self.shown()),
        };
        Err(RegistryError::Refused { what: what.to_owned(), code, reason })
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, what: &str) -> Result<T, RegistryError> {
        self.check(what)?;
        let unreadable = |error: serde_json::Error| {
            let reason = format!("its answer cannot be read ({error}): {}", self.shown());
            RegistryError::Refused { what: what.to_owned(), code: self.status.into(), reason }
        };
        serde_json::from_slice(&self.body).map_err(unreadable)
    }
}

/// The path of a setting.
fn place_of(setting: Setting, subject: Option<&str>) -> String {
    let root = if setting == Setting::Mode { "/mode" } else { "/config" };
    subject.map_or_else(|| root.to_owned(), |subject| format!("{root}/{}", part(subject)))
}

#[async_trait]
impl Registry for HttpRegistry {
    async fn subjects(&self, deleted: bool) -> Result<Vec<String>, RegistryError> {
        let path = format!("/subjects?deleted={deleted}");
        self.ask("GET", &path, None).await?.read(&format!("GET {path}"))
    }

    async fn versions(&self, subject: &str, deleted: bool) -> Result<Vec<u32>, RegistryError> {
        let path = format!("/subjects/{}/versions?deleted={deleted}", part(subject));
        let mut versions: Vec<u32> = self.get(&path).await?.unwrap_or_default();
        versions.sort_unstable();
        Ok(versions)
    }

    async fn version(&self, subject: &str, version: u32) -> Result<Option<Version>, RegistryError> {
        self.get(&format!("/subjects/{}/versions/{version}?deleted=true", part(subject))).await
    }

    async fn register(&self, subject: &str, schema: &Schema, place: Option<Place>) -> Result<u32, RegistryError> {
        let path = format!("/subjects/{}/versions", part(subject));
        let mut body = json!({
            "schema": schema.schema, "schemaType": schema.schema_type, "references": schema.references,
        });
        for name in ["metadata", "ruleSet"] {
            if let Some(value) = schema.other.get(name).filter(|value| !value.is_null()) {
                body[name] = value.clone();
            }
        }
        if let Some(Place { id, version }) = place {
            (body["id"], body["version"]) = (id.into(), version.into());
        }
        let registered: Registered = self.ask("POST", &path, Some(&body)).await?.read(&format!("POST {path}"))?;
        Ok(registered.id)
    }

    async fn delete(&self, subject: &str, version: u32) -> Result<(), RegistryError> {
        let path = format!("/subjects/{}/versions/{version}", part(subject));
        self.ask("DELETE", &path, None).await?.check(&format!("DELETE {path}"))
    }

    async fn setting(&self, setting: Setting, subject: Option<&str>) -> Result<Option<String>, RegistryError> {
        let path = place_of(setting, subject);
        let found: Option<Value> = self.get(&path).await?;
        let text = |name: &str| found.as_ref()?.get(name)?.as_str().map(str::to_owned);
        Ok(if setting == Setting::Mode {
            text("mode")
        } else {
            text("compatibilityLevel").or_else(|| text("compatibility"))
        })
    }

    async fn set(
        &self,
        setting: Setting,
        subject: Option<&str>,
        value: Option<&str>,
        force: bool,
    ) -> Result<(), RegistryError> {
        let path = place_of(setting, subject);
        let answer = match (setting, value) {
            (_, None) => {
                let answer = self.ask("DELETE", &path, None).await?;
                if answer.status == 404 {
                    return Ok(());
                }
                answer
            }
            (Setting::Compatibility, Some(value)) => {
                self.ask("PUT", &path, Some(&json!({ "compatibility": value }))).await?
            }
            (Setting::Mode, Some(value)) => {
                let path = if force { format!("{path}?force=true") } else { path.clone() };
                self.ask("PUT", &path, Some(&json!({ "mode": value }))).await?
            }
        };
        answer.check(&format!("PUT {path}"))
    }
}
