//! The gateway's paths.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::{Event, Kind};

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// What a body may hold.
    Schema,
    /// A push of this job.
    Push(Address),
}

/// Whom a push is of, and what happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub kind: Kind,
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    pub uuid: Arc<str>,
    pub topic: Arc<str>,
    pub event: Event,
}

/// What is asked by a path; why it is nothing.
pub(crate) fn route(path: &str) -> Result<Route, String> {
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    match parts[..] {
        ["schema.json"] => Ok(Route::Schema),
        ["namespaces", namespace, kind, name, uuid, "topics", topic, event] => Ok(Route::Push(Address {
            kind: Kind::of_name(kind).ok_or_else(|| format!("no job is of kind {kind:?}: there are {}", kinds()))?,
            namespace: decoded("namespace", namespace)?,
            name: decoded("name", name)?,
            uuid: decoded("uuid", uuid)?,
            topic: decoded("topic", topic)?,
            event: Event::of_name(event)
                .ok_or_else(|| format!("{event:?} is no event: there are started, progress and stopped"))?,
        })),
        _ => Err(format!(
            "path {path} does not exist: progress is pushed to /namespaces/NAMESPACE/KIND/NAME/UUID/topics/TOPIC/EVENT"
        )),
    }
}

fn kinds() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

/// A part of the path as it was before it was encoded.
fn decoded(what: &str, part: &str) -> Result<Arc<str>, String> {
    let text = percent_decode_str(part).decode_utf8().map_err(|_| format!("{what} {part:?} is not UTF-8"))?;
    if text.is_empty() { Err(format!("{what} is empty")) } else { Ok(text.into()) }
}
