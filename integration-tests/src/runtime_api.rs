//! Lambda's Runtime API, emulated: what a function's binary asks for invocations and answers to.
//!
//! As on Lambda, a function has one invocation at a time, is told its deadline, and may fail to start. Functions can be tried
//! under another emulation, too, so that what this one understands wrongly is seen.

use std::{
    collections::VecDeque,
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::ports::invoker::InvokeError;
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
    task::AbortHandle,
};

use crate::{
    cargo_lambda::{ANY_FUNCTION, CargoLambda},
    highwater::isolated,
    process::Process,
};

/// How long an invocation may take unless a test says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How much longer than its deadline an invocation is waited for.
const GRACE: Duration = Duration::from_secs(10);
const NO_ANSWER: &str = "no answer in time";
/// Lambda's limit of a synchronous answer.
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Whose emulation a function runs under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulation {
    /// This file's.
    Own,
    /// cargo-lambda's.
    CargoLambda,
}

/// A running function's binary, and the Runtime API that it asks.
pub struct Function {
    runtime: Runtime,
    process: Process,
}

enum Runtime {
    Own(Own),
    CargoLambda(Box<CargoLambda>),
}

/// This file's emulation.
struct Own {
    api: Arc<Api>,
    server: AbortHandle,
}

/// A function's error, as it told the Runtime API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{error_type}: {error_message}")]
pub struct FunctionError {
    /// The error's type name.
    pub error_type: String,
    /// The error's text.
    pub error_message: String,
}

type Outcome = Result<Value, FunctionError>;

#[derive(Default)]
struct Api {
    state: Mutex<Asked>,
    /// Something was asked or told.
    changed: Notify,
}

#[derive(Default)]
struct Asked {
    waiting: VecDeque<Invocation>,
    /// The invocation that the function has now.
    current: Option<Invocation>,
    invocations: u64,
    /// When the function asked for work first.
    first_asked: Option<Instant>,
    /// What the function did against the protocol.
    violations: Vec<String>,
}

struct Invocation {
    id: String,
    payload: Value,
    deadline_ms: u128,
    answer: oneshot::Sender<Outcome>,
}

impl Function {
    /// Starts the binary `name` of this workspace, with `environment` beside what Lambda sets.
    pub async fn start(name: &str, environment: &[(&str, &str)]) -> Function {
        Self::start_under(Emulation::Own, name, environment).await
    }

    /// The same under this emulation.
    pub async fn start_under(emulation: Emulation, name: &str, environment: &[(&str, &str)]) -> Function {
        let (runtime, address, function_name) = match emulation {
            Emulation::Own => {
                let (own, address) = Own::start().await;
                (Runtime::Own(own), address, name)
            }
            Emulation::CargoLambda => {
                let other = CargoLambda::start().await;
                let address = other.runtime_api();
                (Runtime::CargoLambda(Box::new(other)), address, ANY_FUNCTION)
            }
        };
        let process = Process::start(&mut command(name, function_name, &address, environment));
        Function { runtime, process }
    }

    /// Invokes the function and waits for its answer.
    pub async fn invoke(&self, payload: Value) -> Outcome {
        self.invoke_within(TIMEOUT, payload).await
    }

    /// Invokes the function with a deadline so far from now, and waits for its answer. cargo-lambda has a deadline of its own.
    ///
    /// # Panics
    /// When it does not answer by then, or did something against the protocol.
    pub async fn invoke_within(&self, timeout: Duration, payload: Value) -> Outcome {
        let outcome = match &self.runtime {
            Runtime::Own(own) => own.answer(timeout, payload).await,
            Runtime::CargoLambda(other) => {
                let answered = tokio::time::timeout(timeout + GRACE, other.invoke(payload)).await;
                answered.map(|answer| answer.map_err(FunctionError::from)).map_err(|_| NO_ANSWER.to_owned())
            }
        };
        outcome.unwrap_or_else(|wrong| self.panics(&wrong))
    }

    /// Waits until the function asks for its first invocation, and gives when it did.
    ///
    /// # Panics
    /// Under cargo-lambda, which does not tell.
    pub async fn first_asked(&self) -> Instant {
        let Runtime::Own(own) = &self.runtime else { panic!("cargo-lambda does not tell when a function asks") };
        let asked = tokio::time::timeout(TIMEOUT, own.api.first_asked()).await;
        asked.unwrap_or_else(|_| self.panics("it asks for no invocation"))
    }

    /// The most memory that the process held at any moment.
    pub fn memory_bytes_peak(&self) -> u64 {
        self.process.memory_bytes_peak()
    }

    /// Stops the process where it stands, as Lambda does between two invocations.
    pub fn freeze(&self) {
        self.process.hold();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.go_on();
    }

    /// Tells it that the environment ends, as Lambda does, and waits until it is gone.
    pub async fn terminate(mut self) {
        self.process.terminate();
        self.process.ended(GRACE).await;
    }

    /// The lines it has printed so far.
    pub fn output(&self) -> Vec<String> {
        self.process.output()
    }

    fn panics(&self, wrong: &str) -> ! {
        panic!("{wrong}; it printed:\n{}", self.output().join("\n"))
    }
}

impl From<InvokeError> for FunctionError {
    fn from(error: InvokeError) -> Self {
        FunctionError { error_type: "InvokeError".to_owned(), error_message: error.to_string() }
    }
}

impl Own {
    /// Serves the API, and gives what a function has as `AWS_LAMBDA_RUNTIME_API`.
    async fn start() -> (Own, String) {
        let api = Arc::new(Api::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on the loopback");
        let address = listener.local_addr().expect("the port's address");
        let server = tokio::spawn(serve(listener, Arc::clone(&api))).abort_handle();
        (Own { api, server }, address.to_string())
    }

    /// The function's answer, or what it did wrong.
    async fn answer(&self, timeout: Duration, payload: Value) -> Result<Outcome, String> {
        let answered = tokio::time::timeout(timeout + GRACE, self.api.invoke(timeout, payload)).await;
        let violations = self.api.asked().violations.clone();
        if !violations.is_empty() {
            return Err(format!("against the Runtime API: {violations:?}"));
        }
        let answered = answered.map_err(|_| NO_ANSWER.to_owned())?;
        answered.map_err(|_| "the function was stopped".to_owned())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn command(name: &str, function_name: &str, api: &str, environment: &[(&str, &str)]) -> Command {
    let mut command = isolated(name);
    command
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", function_name)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_REGION", "us-east-1")
        .envs(environment.iter().copied());
    command
}

async fn serve(listener: TcpListener, api: Arc<Api>) {
    const BASE: &str = "/2018-06-01/runtime";
    let routes = Router::new()
        .route(&format!("{BASE}/invocation/next"), get(next))
        .route(&format!("{BASE}/invocation/{{id}}/response"), post(response))
        .route(&format!("{BASE}/invocation/{{id}}/error"), post(error))
        .layer(axum::extract::DefaultBodyLimit::max(ANSWER_BYTES_MAX))
        .with_state(api);
    axum::serve(listener, routes).await.expect("the Runtime API serves until it is dropped");
}

impl Api {
    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.state.lock().expect("no holder of the state panicked")
    }

    /// Has the function invoked with a deadline so far from now.
    fn invoke(&self, timeout: Duration, payload: Value) -> oneshot::Receiver<Outcome> {
        let (answer, answered) = oneshot::channel();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is right");
        {
            let mut asked = self.asked();
            asked.invocations += 1;
            let id = format!("{:08x}-0000-4000-8000-000000000000", asked.invocations);
            let deadline_ms = (now + timeout).as_millis();
            asked.waiting.push_back(Invocation { id, payload, deadline_ms, answer });
        }
        self.changed.notify_waiters();
        answered
    }

    async fn first_asked(&self) -> Instant {
        loop {
            let changed = self.changed.notified();
            if let Some(at) = self.asked().first_asked {
                return at;
            }
            changed.await;
        }
    }

    /// Waits for the next invocation and gives it to the function.
    async fn take_next(&self) -> Response {
        self.asked().first_asked.get_or_insert_with(Instant::now);
        self.changed.notify_waiters();
        loop {
            let changed = self.changed.notified();
            if let Some(response) = self.asked().hand_out() {
                return response;
            }
            changed.await;
        }
    }

    fn finish(&self, id: &str, outcome: Outcome) -> StatusCode {
        let mut asked = self.asked();
        match asked.current.take_if(|current| current.id == id) {
            Some(current) => {
                // A test that no longer waits has failed already.
                let _ = current.answer.send(outcome);
                StatusCode::ACCEPTED
            }
            None => {
                asked.violations.push(format!("an answer to invocation {id}, which it does not have"));
                StatusCode::BAD_REQUEST
            }
        }
    }
}

impl Asked {
    fn hand_out(&mut self) -> Option<Response> {
        if let Some(current) = &self.current {
            self.violations.push(format!("asked for the next invocation before it answered {}", current.id));
            return Some(StatusCode::FORBIDDEN.into_response());
        }
        let next = self.waiting.pop_front()?;
        let headers = [
            ("lambda-runtime-aws-request-id", next.id.clone()),
            ("lambda-runtime-deadline-ms", next.deadline_ms.to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:highwater".to_owned(),
            ),
            ("lambda-runtime-trace-id", format!("Root=1-00000000-{};Sampled=0", next.id.replace('-', ""))),
        ];
        let response = (headers, Json(next.payload.clone())).into_response();
        self.current = Some(next);
        Some(response)
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    api.take_next().await
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> impl IntoResponse {
    let answer = serde_json::from_slice(&body);
    (api.finish(&id, Ok(answer.expect("the function's answer is JSON"))), Json(json!({"status": "OK"})))
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> impl IntoResponse {
    (api.finish(&id, Err(told(&body))), Json(json!({"status": "OK"})))
}

fn told(body: &[u8]) -> FunctionError {
    let told = serde_json::from_slice(body);
    told.unwrap_or_else(|error| panic!("an error is told as JSON ({error}): {}", String::from_utf8_lossy(body)))
}
