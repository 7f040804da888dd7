//! Backbeat's control routes: failed operations listed and tried again, locations paused and resumed.
//!
//! All of it is in the storage: object-replicator obeys within one refresh, whatever else is down.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{
    archive::{self, ArchiveError},
    metrics::backbeat::{
        control::Control,
        error::ErrorAnswer,
        retry_body::Retry,
        route::{self, Request, Route},
    },
    record::Millis,
    replication::{State, Status, Subject},
    web::HttpRequest,
};

use crate::{
    Context,
    answer::{json, storage_failed},
};

/// Their paths begin with one of these.
pub const PREFIXES: [&str; 2] = ["/_/backbeat/api/crr/", "/_/crr/"];
/// So many failed operations are told at once.
const PAGE: usize = 100;

pub(crate) async fn answer(request: &HttpRequest, context: &Context) -> Result<String, ErrorAnswer> {
    let line = Request { method: &request.method, target: &request.target, body: &request.body };
    let Route::Control { control, .. } = route::route(line, &context.locations)? else {
        return Err(ErrorAnswer::no_such_path(&request.target));
    };
    done(control, context).await.map_err(storage_failed)
}

async fn done(control: Control, context: &Context) -> Result<String, ArchiveError> {
    let (objects, now) = (&*context.objects, context.clock.now());
    match control {
        Control::Failed { marker, locations } => failed(context, &locations, marker).await,
        Control::FailedObject { bucket, key, version_id } => {
            let mut versions = vec![];
            for location in &context.locations {
                let (bucket, key, version) = (bucket.clone(), key.clone(), version_id.clone());
                let subject = Subject { location: location.clone(), bucket, key, version };
                let status = archive::read_status(objects, location, &subject.id()).await?;
                versions.extend(status.filter(|status| status.state == State::Failed).map(|it| Version::of(&it)));
            }
            Ok(json(&Failed { is_truncated: false, versions, next_marker: None }))
        }
        Control::Retry(entries) => retry(context, entries).await,
        Control::Pause(locations) => {
            for location in &locations {
                archive::pause_location(objects, location, now).await?;
            }
            Ok(nothing())
        }
        Control::Resume(locations) => {
            for location in &locations {
                archive::resume_location(objects, location).await?;
            }
            Ok(nothing())
        }
        Control::ResumeLater { locations, after_ms } => schedule(context, &locations, Some(after_ms)).await,
        Control::Unschedule(locations) => schedule(context, &locations, None).await,
        Control::Status(locations) => {
            by_location(context, &locations, |pause| if pause.is_some() { "disabled" } else { "enabled" }.to_owned())
                .await
        }
        Control::Resumes(locations) => {
            let at = |pause: Option<archive::LocationPause>| pause.and_then(|pause| pause.resume_at);
            by_location(context, &locations, |pause| at(pause).map_or_else(|| "none".to_owned(), iso)).await
        }
    }
}

fn nothing() -> String {
    "{}".to_owned()
}

async fn schedule(context: &Context, locations: &[String], after_ms: Option<i64>) -> Result<String, ArchiveError> {
    let now = context.clock.now();
    let resume_at = after_ms.map(|after| Millis(now.0.saturating_add(after)));
    for location in locations {
        archive::schedule_resume(&*context.objects, location, resume_at, now).await?;
    }
    Ok(nothing())
}

async fn by_location(
    context: &Context,
    locations: &[String],
    of: impl Fn(Option<archive::LocationPause>) -> String,
) -> Result<String, ArchiveError> {
    let mut answers = BTreeMap::new();
    for location in locations {
        let pause = archive::location_pause(&*context.objects, location, context.clock.now()).await?;
        answers.insert(location, of(pause));
    }
    Ok(json(&answers))
}

async fn failed(context: &Context, locations: &[String], marker: usize) -> Result<String, ArchiveError> {
    let (statuses, more) = archive::failed_statuses(&*context.objects, locations, marker, PAGE).await?;
    let versions = statuses.iter().map(Version::of).collect();
    let next_marker = more.then(|| marker.saturating_add(PAGE));
    Ok(json(&Failed { is_truncated: more, versions, next_marker }))
}

/// Has these tried again; answers those of them that had failed.
async fn retry(context: &Context, entries: Vec<Retry>) -> Result<String, ArchiveError> {
    let mut retried = vec![];
    for entry in entries {
        for status in wanted(context, entry).await? {
            if archive::retry_now(&*context.objects, &status, context.clock.now()).await? {
                retried.push(Version { replication_status: Some("PENDING"), ..Version::of(&status) });
            }
        }
    }
    Ok(json(&retried))
}

async fn wanted(context: &Context, entry: Retry) -> Result<Vec<Status>, ArchiveError> {
    let Retry { bucket, key, version_id, location } = entry;
    if !context.locations.contains(&location) {
        return Ok(vec![]);
    }
    let objects = &*context.objects;
    if let Some(version) = version_id {
        let subject = Subject { location, bucket, key, version };
        return Ok(archive::read_status(objects, &subject.location, &subject.id()).await?.into_iter().collect());
    }
    let (mut all, _) = archive::failed_statuses(objects, &[location], 0, usize::MAX).await?;
    all.retain(|status| status.subject.bucket == bucket && status.subject.key == key);
    Ok(all)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    is_truncated: bool,
    versions: Vec<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    bucket: String,
    key: String,
    version_id: String,
    storage_class: String,
    size: u64,
    last_modified: String,
    /// Why the last attempt failed; Backbeat's answer has no such field, nor the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When it is tried again by itself; absent where it waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication_status: Option<&'static str>,
}

impl Version {
    fn of(status: &Status) -> Self {
        let Subject { location, bucket, key, version } = status.subject.clone();
        Version {
            bucket,
            key,
            version_id: version,
            storage_class: location,
            size: status.size_bytes,
            last_modified: iso(status.changed_at),
            reason: status.reason.clone(),
            retry_at: status.retry_at.map(iso),
            replication_status: None,
        }
    }
}

/// A time as JavaScript writes it: `2023-11-14T22:13:20.000Z`.
fn iso(at: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}
