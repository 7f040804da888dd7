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

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _};

    use serde_json::json;
    use tokio::net::TcpListener;

    use super::{super::runtime_api, *};

    const FUNCTION: &str = "sleeper";
    /// Takes an invocation, tells its own number, and answers nothing.
    const NEVER_ANSWERS: &str = r#"#!/bin/bash
exec 3<>/dev/tcp/${AWS_LAMBDA_RUNTIME_API/:/\/}
printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: x\r\n\r\n' >&3
echo $$ >> "$TAKEN"
read -r <&3
exec sleep 600
"#;

    #[tokio::test]
    async fn a_process_that_does_not_answer_in_time_is_killed_and_another_takes_the_next_invocation() {
        let folder = tempfile::tempdir().unwrap();
        let (program, taken) = (folder.path().join(FUNCTION), folder.path().join("taken"));
        let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o755).open(&program).unwrap();
        file.write_all(NEVER_ANSWERS.as_bytes()).unwrap();
        drop(file);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let environment = vec![("TAKEN".to_owned(), taken.to_string_lossy().into_owned())];
        let launch = Launch { function: FUNCTION, program, api: listener.local_addr().unwrap(), environment };
        let api = Arc::new(RuntimeApi::new(FUNCTION));
        let server = tokio::spawn(runtime_api::serve(listener, Arc::clone(&api)));
        let first = launch.start().unwrap();
        let process = tokio::spawn(keep(launch, first, Arc::clone(&api)));

        for _ in 0..2 {
            let late = api.invoke(json!({}), Duration::from_secs(1)).await.unwrap_err();
            assert_eq!((&*late.message, late.retry), ("Task timed out after 1.00 seconds", true));
        }
        let taken = fs::read_to_string(taken).unwrap();
        let processes: Vec<_> = taken.lines().collect();
        assert_eq!(processes.len(), 2, "{taken}");
        assert_ne!(processes[0], processes[1]);
        assert!(!fs::exists(format!("/proc/{}/exe", processes[0])).unwrap(), "it was killed");
        process.abort();
        server.abort();
    }
}
