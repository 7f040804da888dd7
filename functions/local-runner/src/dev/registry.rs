//! The embedded schema registry of `highwater dev`: the one in memory behind Confluent's documented REST API.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{
    adapters::memory::registry::MemoryRegistry,
    ports::registry::{Place, Registry as _, RegistryError, Schema, Setting},
};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// A schema registry that listens on the loopback until it is dropped.
pub struct DevRegistry {
    /// What it holds.
    pub registry: Arc<MemoryRegistry>,
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl DevRegistry {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(registry: Arc<MemoryRegistry>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = router(registry.clone());
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the embedded schema registry has stopped");
            }
        });
        Ok(DevRegistry { registry, address, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

type Shared = State<Arc<MemoryRegistry>>;
type Asked = Query<HashMap<String, String>>;

fn router(registry: Arc<MemoryRegistry>) -> Router {
    Router::new()
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version).delete(delete))
        .route("/schemas/ids/{id}", get(schema))
        .route("/{setting}", get(setting).put(set))
        .route("/{setting}/{subject}", get(setting_of).put(set_of).delete(unset))
        .route("/", post(|| async { Json(json!({})) }).get(|| async { Json(json!({})) }))
        .with_state(registry)
}

/// An answer that is no success, as the API has it.
struct Refusal {
    code: u32,
    message: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = u16::try_from(if self.code >= 1_000 { self.code / 100 } else { self.code });
        let status = status.ok().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({ "error_code": self.code, "message": self.message }))).into_response()
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Refused { code, reason, .. } => Refusal { code, message: reason },
            RegistryError::Unavailable { reason, .. } => Refusal { code: 50_003, message: reason },
        }
    }
}

fn refusal(code: u32, message: &str) -> Refusal {
    Refusal { code, message: message.to_owned() }
}

fn is_set(asked: &HashMap<String, String>, name: &str) -> bool {
    asked.get(name).is_some_and(|value| value == "true")
}

fn read<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| refusal(422, &format!("the body cannot be read: {error}")))
}

async fn subjects(State(registry): Shared, Query(asked): Asked) -> Result<Json<Vec<String>>, Refusal> {
    Ok(Json(registry.subjects(is_set(&asked, "deleted")).await?))
}

async fn versions(
    State(registry): Shared,
    Path(subject): Path<String>,
    Query(asked): Asked,
) -> Result<Json<Vec<u32>>, Refusal> {
    let versions = registry.versions(&subject, is_set(&asked, "deleted")).await?;
    if versions.is_empty() { Err(refusal(40_401, "Subject not found.")) } else { Ok(Json(versions)) }
}

async fn version(
    State(registry): Shared,
    Path((subject, version)): Path<(String, String)>,
    Query(asked): Asked,
) -> Result<Json<Value>, Refusal> {
    let shown = registry.versions(&subject, is_set(&asked, "deleted")).await?;
    let number = if version == "latest" { shown.last().copied() } else { version.parse().ok() };
    let number = number.filter(|number| shown.contains(number));
    let not_found = || refusal(40_402, "Version not found.");
    let found = registry.version(&subject, number.ok_or_else(not_found)?).await?.ok_or_else(not_found)?;
    Ok(Json(serde_json::to_value(found).map_err(|error| refusal(500, &error.to_string()))?))
}

/// A schema that is registered; with `id` and `version` in import mode.
#[derive(Deserialize)]
struct Registered {
    id: Option<u32>,
    version: Option<u32>,
    #[serde(flatten)]
    schema: Schema,
}

async fn register(State(registry): Shared, Path(subject): Path<String>, body: Bytes) -> Result<Json<Value>, Refusal> {
    let Registered { id, version, schema } = read(&body)?;
    let place = id.filter(|id| *id > 0).map(|id| Place { id, version: version.unwrap_or(1) });
    let id = registry.register(&subject, &schema, place).await?;
    Ok(Json(json!({ "id": id })))
}

async fn delete(State(registry): Shared, Path((subject, version)): Path<(String, u32)>) -> Result<Json<u32>, Refusal> {
    registry.delete(&subject, version).await?;
    Ok(Json(version))
}

async fn schema(State(registry): Shared, Path(id): Path<u32>) -> Result<Json<Value>, Refusal> {
    let schema = registry.schema(id).ok_or_else(|| refusal(40_403, "Schema not found"))?;
    Ok(Json(serde_json::to_value(schema).map_err(|error| refusal(500, &error.to_string()))?))
}

/// The setting of that path, and what it is called in bodies that ask and that answer.
fn named(setting: &str) -> Result<(Setting, &'static str, &'static str), Refusal> {
    match setting {
        "config" => Ok((Setting::Compatibility, "compatibility", "compatibilityLevel")),
        "mode" => Ok((Setting::Mode, "mode", "mode")),
        _ => Err(refusal(404, "HTTP 404 Not Found")),
    }
}

async fn shown(registry: &MemoryRegistry, setting: &str, subject: Option<&str>) -> Result<Json<Value>, Refusal> {
    let (setting, _, answered) = named(setting)?;
    let code = if setting == Setting::Mode { 40_409 } else { 40_408 };
    let value = registry.setting(setting, subject).await?;
    let value = value.ok_or_else(|| refusal(code, "Subject does not have this setting of its own"))?;
    Ok(Json(json!({ answered: value })))
}

async fn changed(
    registry: &MemoryRegistry,
    setting: &str,
    subject: Option<&str>,
    force: bool,
    body: &Bytes,
) -> Result<Json<Value>, Refusal> {
    let (setting, asked, _) = named(setting)?;
    let body: Value = read(body)?;
    let value = body[asked].as_str().ok_or_else(|| refusal(422, &format!("{asked} is missing")))?;
    registry.set(setting, subject, Some(value), force).await?;
    Ok(Json(json!({ asked: value })))
}

async fn setting(State(registry): Shared, Path(setting): Path<String>) -> Result<Json<Value>, Refusal> {
    shown(&registry, &setting, None).await
}

async fn setting_of(
    State(registry): Shared,
    Path((setting, subject)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    shown(&registry, &setting, Some(&subject)).await
}

async fn set(
    State(registry): Shared,
    Path(setting): Path<String>,
    Query(asked): Asked,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    changed(&registry, &setting, None, is_set(&asked, "force"), &body).await
}

async fn set_of(
    State(registry): Shared,
    Path((setting, subject)): Path<(String, String)>,
    Query(asked): Asked,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    changed(&registry, &setting, Some(&subject), is_set(&asked, "force"), &body).await
}

async fn unset(
    State(registry): Shared,
    Path((setting, subject)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let before = shown(&registry, &setting, Some(&subject)).await?;
    registry.set(named(&setting)?.0, Some(&subject), None, false).await?;
    Ok(before)
}
