//! `highwater serve --emulate DIR`: functions as they are packaged, each in a process of its own, kept as AWS Lambda keeps it.
//!
//! [`packages`] finds their programs, [`process`] keeps one running, and [`runtime_api`] is what it asks for work. What starts a
//! function stays the host's: schedules, listeners, other functions.

mod packages;
mod process;
mod runtime_api;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use shared::{
    config::Settings,
    function::{Answer, FunctionError},
    web::{HttpRequest, HttpResponse, gateway},
};
use tokio::{net::TcpListener, task::AbortHandle};

pub use self::packages::PackageError;
use self::{packages::Packages, process::Launch, runtime_api::RuntimeApi};

/// How long an invocation may take, as the template has it for most functions.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// How long an answer to an HTTP request may take.
const HTTP_TIMEOUT: Duration = Duration::from_secs(29);

/// The packages of a folder, and what their functions are told.
pub struct Emulator {
    packages: Packages,
    environment: Vec<(String, String)>,
    /// What the listeners' guard has let in, a function's own guard lets in by this.
    authorization: Option<String>,
}

/// A packaged function. Its process ends with it.
pub struct Emulated {
    api: Arc<RuntimeApi>,
    authorization: Option<String>,
    tasks: [AbortHandle; 2],
}

impl Emulator {
    /// The packages of these functions in `folder`. Functions find each other at `invoke`, an Invoke API, and push progress to `gateway`.
    ///
    /// # Errors
    /// When the folder or a package in it cannot be read.
    pub fn open(
        folder: &Path,
        functions: impl IntoIterator<Item = &'static str>,
        config: Option<&str>,
        settings: &Settings,
        invoke: SocketAddr,
        gateway: Option<SocketAddr>,
    ) -> Result<Emulator, PackageError> {
        let of = |name: &str, value: String| (name.to_owned(), value);
        let mut environment = vec![
            of("HIGHWATER_LAMBDA_ENDPOINT_URL", format!("http://{invoke}")),
            of("HIGHWATER_LAMBDA_FUNCTION_PREFIX", String::new()),
            // Whose address it is only the listener knows, and its guard has looked.
            of("HIGHWATER_LISTEN_ALLOW_ADDRESSES", String::new()),
        ];
        environment.extend(config.map(|config| of("HIGHWATER_CONFIG", config.to_owned())));
        let pushes_go_to = settings.event_gateway.address(gateway);
        environment.extend(pushes_go_to.map(|url| of("HIGHWATER_EVENT_GATEWAY_URL", url)));
        let authorization = settings.listen.token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
        Ok(Emulator { packages: Packages::open(folder, functions)?, environment, authorization })
    }

    /// Starts the packaged function of that name.
    ///
    /// # Errors
    /// When there is no such package, or no port for its Runtime API.
    pub async fn start(&self, function: &'static str) -> Result<Arc<Emulated>, PackageError> {
        let program = self.packages.program(function).ok_or_else(|| self.packages.missing(function))?;
        let failed = |source| PackageError::NoPort { function, source };
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let api = Arc::new(RuntimeApi::new(function));
        let launch =
            Launch { function, program: program.to_owned(), api: address, environment: self.environment.clone() };
        let server = tokio::spawn(runtime_api::serve(listener, Arc::clone(&api))).abort_handle();
        let started = launch.start();
        let first = started.map_err(|source| PackageError::NotStarted { program: launch.program.clone(), source })?;
        let process = tokio::spawn(process::keep(launch, first, Arc::clone(&api))).abort_handle();
        Ok(Arc::new(Emulated { api, authorization: self.authorization.clone(), tasks: [server, process] }))
    }
}

impl Emulated {
    /// Invokes the function.
    pub async fn invoke(&self, payload: serde_json::Value) -> Answer {
        self.api.invoke(payload, TIMEOUT).await
    }

    /// Has the function answer a request, by way of the event that a function URL makes of it.
    pub async fn request(&self, request: HttpRequest) -> HttpResponse {
        let authorization = self.authorization.as_deref().map(|text| ("authorization", text));
        let headers: Vec<_> = [("host", "localhost")].into_iter().chain(authorization).collect();
        let answer = self.api.invoke(gateway::event_of(&request, &headers), HTTP_TIMEOUT).await;
        let response = answer.map_err(|error: FunctionError| error.to_string()).and_then(gateway::response_of);
        response.unwrap_or_else(|why| {
            tracing::warn!(target = request.target, "a request is not answered: {why}");
            HttpResponse::to(&request, 502, "text/plain", format!("{why}\n"))
        })
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}
