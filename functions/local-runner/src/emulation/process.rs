//! A function's process: started, and started again when it ends, as AWS Lambda does.

use std::{net::SocketAddr, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use tokio::process::{Child, Command};

use super::runtime_api::RuntimeApi;

/// A process that ended is started again after so long.
const START_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a process is started with, beside what this process has in its environment.
pub(super) struct Launch {
    pub(super) function: &'static str,
    pub(super) program: PathBuf,
    pub(super) api: SocketAddr,
    pub(super) environment: Vec<(String, String)>,
}

impl Launch {
    /// Starts it. It is killed when its handle is dropped.
    pub(super) fn start(&self) -> std::io::Result<Child> {
        Command::new(&self.program)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", self.api.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", self.function)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

/// Keeps the process running until it is aborted; the first is started already.
pub(super) async fn keep(launch: Launch, first: Child, api: Arc<RuntimeApi>) {
    let (function, mut first) = (launch.function, Some(first));
    loop {
        match first.take().map_or_else(|| launch.start(), Ok) {
            Ok(mut child) => {
                let why = tokio::select! {
                    ended = child.wait() => match ended {
                        Ok(status) => format!("the process ended: {status}"),
                        Err(error) => format!("the process cannot be waited for: {error}"),
                    },
                    () = api.is_late() => "an invocation took too long".to_owned(),
                };
                // Nothing is left to do for one that has ended already.
                let _ = child.kill().await;
                tracing::warn!(function, "{why}; it is started again");
                api.ended(&why);
            }
            Err(error) => {
                let why = format!("{} cannot be started: {error}", launch.program.display());
                tracing::warn!(function, error = &error as &dyn std::error::Error, "{why}");
                api.refuse_all(&why).await;
            }
        }
        tokio::time::sleep(START_AGAIN_AFTER).await;
    }
}
