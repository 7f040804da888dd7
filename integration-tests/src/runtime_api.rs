//! Lambda's Runtime API, emulated: what a function's binary asks for invocations and answers to.
//!
//! As on Lambda, a function has one invocation at a time, is told its deadline, and may fail to start.

use std::{
    collections::VecDeque,
    net::SocketAddr,
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
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
    task::AbortHandle,
};

use crate::{highwater::isolated, process::Process};

/// How long an invocation may take unless a test says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How much longer than its deadline an invocation is waited for.
const GRACE: Duration = Duration::from_secs(10);
/// Lambda's limit of a synchronous answer.
const ANSWER_BYTES_MAX: usize = 6 * 1024 * 1024;

/// A running function's binary, and the Runtime API that it asks.
pub struct Function {
    api: Arc<Api>,
    server: AbortHandle,
    process: Process,
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
        let api = Arc::new(Api::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on the loopback");
        let address = listener.local_addr().expect("the port's address");
        let server = tokio::spawn(serve(listener, Arc::clone(&api))).abort_handle();
        let process = Process::start(&mut command(name, address, environment));
        Function { api, server, process }
    }

    /// Invokes the function and waits for its answer.
    pub async fn invoke(&self, payload: Value) -> Outcome {
        self.invoke_within(TIMEOUT, payload).await
    }

    /// Invokes the function with a deadline so far from now, and waits for its answer.
    ///
    /// # Panics
    /// When it does not answer by then, or did something against the protocol.
    pub async fn invoke_within(&self, timeout: Duration, payload: Value) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is right");
        {
            let mut asked = self.asked();
            asked.invocations += 1;
            let id = format!("{:08x}-0000-4000-8000-000000000000", asked.invocations);
            let deadline_ms = (now + timeout).as_millis();
            asked.waiting.push_back(Invocation { id, payload, deadline_ms, answer });
        }
        self.api.changed.notify_waiters();
        let outcome = tokio::time::timeout(timeout + GRACE, answered).await;
        let violations = self.asked().violations.clone();
        assert!(violations.is_empty(), "against the Runtime API: {violations:?}; {}", self.printed());
        let outcome = outcome.unwrap_or_else(|_| panic!("no answer within {timeout:?}; {}", self.printed()));
        outcome.unwrap_or_else(|_| panic!("the function was stopped; {}", self.printed()))
    }

    /// Waits until the function asks for its first invocation, and gives when it did.
    pub async fn first_asked(&self) -> Instant {
        let asked = async {
            loop {
                let changed = self.api.changed.notified();
                if let Some(at) = self.asked().first_asked {
                    return at;
                }
                changed.await;
            }
        };
        let asked = tokio::time::timeout(TIMEOUT, asked).await;
        asked.unwrap_or_else(|_| panic!("it asks for no invocation; {}", self.printed()))
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

    fn printed(&self) -> String {
        format!("it printed:\n{}", self.output().join("\n"))
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.api.asked()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn command(name: &str, api: SocketAddr, environment: &[(&str, &str)]) -> Command {
    let mut command = isolated(name);
    command
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
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
