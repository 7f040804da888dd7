//! segment-browser: what a backup holds, for people who look: segments, and the first records of one.
//!
//! | request | answers |
//! |---|---|
//! | `GET /_/highwater/segments/<backup>/<topic>` | the incarnations and their partitions |
//! | `GET /_/highwater/segments/<backup>/<topic>/<n>/<partition>[?before=<base>]` | its latest segments, or those before one |
//! | `GET /_/highwater/segments/<backup>/<topic>/<n>/<partition>/<file>` | what a segment says of itself, and its first records |
//!
//! Offsets and counts are texts, because a page reads numbers as doubles. Bytes are base64, so that null, empty and what
//! is no text are told apart and every byte can be shown.

mod answer;
mod read;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, convert::Infallible, sync::Arc};

use serde::Serialize;
use shared::{
    archive::ArchiveError,
    config::{Settings, topic_name},
    metrics::backbeat::error::ErrorAnswer,
    ports::objects::Objects,
    record::{Offset, Partition},
    web::{HttpAnswer, HttpEvent, HttpRequest, HttpResponse, guard::Guard},
};
use tokio::sync::Semaphore;

/// The function's name.
pub const NAME: &str = "segment-browser";
/// Every path that is asked here begins with this.
pub const PREFIX: &str = "/_/highwater/segments/";

/// Segments are read whole, so that their checksum is compared: not more of them at a time.
const READS_MAX: usize = 2;

/// The function's ports and settings.
#[derive(Clone)]
pub struct Context {
    objects: Arc<dyn Objects>,
    backups: BTreeSet<String>,
    reads: Arc<Semaphore>,
    /// Who may ask by an event. The runner's listeners have guards of their own.
    guard: Guard,
}

impl Context {
    /// A context by the settings.
    #[must_use]
    pub fn new(settings: &Settings, objects: Arc<dyn Objects>) -> Self {
        let backups = settings.backups.keys().map(ToString::to_string).collect();
        let guard = Guard::of_events(&settings.listen);
        Context { objects, backups, reads: Arc::new(Semaphore::new(READS_MAX)), guard }
    }
}

/// Which chain is meant.
struct Chain<'a> {
    backup: &'a str,
    topic: &'a str,
    incarnation: u32,
    partition: Partition,
}

/// Answers a request.
pub async fn handle(request: HttpRequest, context: &Context) -> HttpResponse {
    let (status, body) = match answer(&request, context).await {
        Ok(body) => (200, body),
        Err(error) => (error.status, error.body()),
    };
    HttpResponse::to(&request, status, "application/json", body)
}

async fn answer(request: &HttpRequest, context: &Context) -> Result<String, ErrorAnswer> {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(ErrorAnswer::method_not_allowed());
    }
    let no_such_path = || ErrorAnswer::no_such_path(&request.target);
    let tail = request.path().strip_prefix(PREFIX).ok_or_else(no_such_path)?;
    match tail.split('/').collect::<Vec<_>>()[..] {
        [backup, topic] => {
            check(backup, topic, context)?;
            json(read::topic(&*context.objects, backup, topic).await)
        }
        [backup, topic, incarnation, partition] => {
            let chain = chain(backup, topic, incarnation, partition, context)?;
            json(read::segments(&*context.objects, &chain, before(&request.target)?).await)
        }
        [backup, topic, incarnation, partition, file] => {
            let chain = chain(backup, topic, incarnation, partition, context)?;
            let _read = context.reads.acquire().await;
            json(read::segment(&*context.objects, &chain, file).await)
        }
        _ => Err(no_such_path()),
    }
}

fn check(backup: &str, topic: &str, context: &Context) -> Result<(), ErrorAnswer> {
    if !context.backups.contains(backup) {
        return Err(ErrorAnswer::no_such_route(format!("no backup {backup:?} is configured")));
    }
    topic_name(topic).map_err(|why| ErrorAnswer::no_such_route(format!("{topic:?} is no topic: {why}")))
}

fn chain<'a>(
    backup: &'a str,
    topic: &'a str,
    incarnation: &str,
    partition: &str,
    context: &Context,
) -> Result<Chain<'a>, ErrorAnswer> {
    check(backup, topic, context)?;
    let incarnation = incarnation.parse().ok();
    let partition = partition.parse().ok().map(Partition);
    let both = incarnation.zip(partition);
    let (incarnation, partition) =
        both.ok_or_else(|| ErrorAnswer::no_such_route("incarnation and partition are numbers".to_owned()))?;
    Ok(Chain { backup, topic, incarnation, partition })
}

/// `before` in the query: segments that begin below it.
fn before(target: &str) -> Result<Option<Offset>, ErrorAnswer> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let Some(text) = query.split('&').find_map(|pair| pair.strip_prefix("before=")) else { return Ok(None) };
    let offset = text.parse().map_err(|_| ErrorAnswer::no_such_route(format!("before={text} is no offset")))?;
    Ok(Some(Offset(offset)))
}

fn json(value: Result<impl Serialize, ReadError>) -> Result<String, ErrorAnswer> {
    let value = value.map_err(refused)?;
    Ok(serde_json::to_string(&value).expect("texts and numbers by name are valid JSON"))
}

/// Why nothing can be shown.
enum ReadError {
    /// It is not there.
    Missing(String),
    /// The storage fails, or holds what cannot be read.
    Archive(ArchiveError),
}

impl From<ArchiveError> for ReadError {
    fn from(error: ArchiveError) -> Self {
        ReadError::Archive(error)
    }
}

fn refused(error: ReadError) -> ErrorAnswer {
    match error {
        ReadError::Missing(what) => ErrorAnswer::no_such_route(what),
        ReadError::Archive(error) => {
            let cause = &error as &dyn std::error::Error;
            tracing::warn!(error = cause, "a request is answered with 503");
            ErrorAnswer::unavailable(format!("the backup cannot be read: {}", shared::function::with_sources(cause)))
        }
    }
}

/// Answers a request that came as an event.
///
/// # Errors
/// None: what is wrong is in the answer.
pub async fn handle_event(event: HttpEvent, context: &Context) -> Result<HttpAnswer, Infallible> {
    Ok(match event.admitted(&context.guard) {
        Ok(request) => event.answer(handle(request, context).await),
        Err(refused) => refused,
    })
}
