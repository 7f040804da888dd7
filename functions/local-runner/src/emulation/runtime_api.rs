//! AWS Lambda's Runtime API, for one function: its process asks for an invocation, answers it, and asks for the next.
#![allow(clippy::disallowed_methods, reason = "a deadline is a time of this machine's clock")]

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::function::{Answer, FunctionError};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, oneshot},
};

/// Lambda's limit of a synchronous answer.
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;
/// So many invocations wait for a function that has one already.
const WAITING_MAX: usize = 256;
/// By what Lambda calls an environment that ended.
const EXIT: &str = "Runtime.ExitError";

/// What a function is asked, and what it answers.
pub(super) struct RuntimeApi {
    function: &'static str,
    ask: mpsc::Sender<Invocation>,
    asked: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    current: Mutex<Option<Current>>,
    number: AtomicU64,
    /// The invocation took too long: the process is ended.
    late: Notify,
}

struct Invocation {
    id: String,
    payload: Value,
    /// How long it may take.
    within: Duration,
    answer: oneshot::Sender<Answer>,
}

/// The invocation that the process has.
struct Current {
    id: String,
    answer: oneshot::Sender<Answer>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Told {
    error_type: String,
    error_message: String,
}

impl RuntimeApi {
    pub(super) fn new(function: &'static str) -> Self {
        let (ask, asked) = mpsc::channel(WAITING_MAX);
        let (asked, current) = (tokio::sync::Mutex::new(asked), Mutex::default());
        RuntimeApi { function, ask, asked, current, number: AtomicU64::default(), late: Notify::new() }
    }

    /// Asks the function, whose answer must come so long after it has the invocation. Others that asked before have their turn
    /// first.
    pub(super) async fn invoke(&self, payload: Value, within: Duration) -> Answer {
        let (answer, answered) = oneshot::channel();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let invocation =
            Invocation { id: format!("{number:08x}-0000-4000-8000-000000000000"), payload, within, answer };
        if self.ask.send(invocation).await.is_err() {
            return Err(exited("the host ends"));
        }
        answered.await.unwrap_or_else(|_| Err(exited("the host ends")))
    }

    /// Waits until an invocation has taken too long.
    pub(super) async fn is_late(&self) {
        self.late.notified().await;
    }

    /// Ends the invocation that the process has when its time is over, whether or not anybody still waits for its answer.
    async fn watch(&self, id: String, within: Duration) {
        tokio::time::sleep(within).await;
        if let Some(current) = self.current().take_if(|current| current.id == id) {
            // Who asked may be gone.
            let _ = current.answer.send(Err(exited(&format!("Task timed out after {}.00 seconds", within.as_secs()))));
            // A process that is being started again meanwhile is another one.
            self.late.notify_waiters();
        }
    }

    /// The process cannot be started: whoever waits for their turn is told, too.
    pub(super) async fn refuse_all(&self, why: &str) {
        self.ended(why);
        let mut asked = self.asked.lock().await;
        while let Ok(invocation) = asked.try_recv() {
            // Who asked may be gone.
            let _ = invocation.answer.send(Err(exited(why)));
        }
    }

    /// The process has ended: whoever waits for its answer gets none.
    pub(super) fn ended(&self, why: &str) {
        if let Some(current) = self.current().take() {
            // Who asked may be gone.
            let _ = current.answer.send(Err(exited(why)));
        }
    }

    fn finish(&self, id: &str, answer: Answer) -> StatusCode {
        match self.current().take_if(|current| current.id == id) {
            Some(current) => {
                // Who asked may be gone.
                let _ = current.answer.send(answer);
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exited(message: &str) -> FunctionError {
    FunctionError { error_type: EXIT.to_owned(), message: message.to_owned(), retry: true }
}

/// Serves a function's process until it is aborted.
pub(super) async fn serve(listener: TcpListener, api: Arc<RuntimeApi>) {
    const BASE: &str = "/2018-06-01/runtime";
    let function = api.function;
    let routes = Router::new()
        .route(&format!("{BASE}/invocation/next"), get(next))
        .route(&format!("{BASE}/invocation/{{id}}/response"), post(response))
        .route(&format!("{BASE}/invocation/{{id}}/error"), post(error))
        .layer(DefaultBodyLimit::max(ANSWER_BYTES_MAX))
        .with_state(api);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(function, error = &error as &dyn std::error::Error, "the runtime api ends");
    }
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response {
    // A process that asks has nothing under way: one before it died with what it had.
    api.ended("the process asked for the next invocation before it answered");
    loop {
        let invocation = api.asked.lock().await.recv().await;
        let Some(Invocation { id, payload, within, answer }) = invocation else {
            return StatusCode::GONE.into_response();
        };
        let deadline_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| (now + within).as_millis());
        if answer.is_closed() {
            continue;
        }
        let headers = [
            ("lambda-runtime-aws-request-id", id.clone()),
            ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
            ("lambda-runtime-invoked-function-arn", format!("arn:aws:lambda:local:0:function:{}", api.function)),
            ("lambda-runtime-trace-id", format!("Root=1-00000000-{};Sampled=0", id.replace('-', ""))),
        ];
        *api.current() = Some(Current { id: id.clone(), answer });
        let watched = Arc::clone(&api);
        tokio::spawn(async move { watched.watch(id, within).await });
        return (headers, Json(payload)).into_response();
    }
}

async fn response(State(api): State<Arc<RuntimeApi>>, Path(id): Path<String>, body: Bytes) -> Response {
    let answer = serde_json::from_slice(&body).map_err(|error| exited(&format!("its answer is no JSON: {error}")));
    (api.finish(&id, answer), Json(json!({ "status": "OK" }))).into_response()
}

async fn error(State(api): State<Arc<RuntimeApi>>, Path(id): Path<String>, body: Bytes) -> Response {
    let Told { error_type, error_message } = serde_json::from_slice(&body).unwrap_or_default();
    let error = FunctionError::of_report(&error_type, error_message);
    (api.finish(&id, Err(error)), Json(json!({ "status": "OK" }))).into_response()
}
