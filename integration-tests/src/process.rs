//! A program that runs beside a test, and can be killed in the middle of its work.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::eventually::eventually;

/// A child process whose output is kept; it is killed when dropped.
pub struct Process {
    child: Child,
    name: String,
    output: Arc<Mutex<Vec<String>>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts a command, without what this test run has in its own environment under `HIGHWATER_TEST_`.
    pub fn start(command: &mut Command) -> Process {
        let name = command.get_program().to_string_lossy().into_owned();
        for (variable, _) in std::env::vars().filter(|(variable, _)| variable.starts_with("HIGHWATER_TEST_")) {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let output = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            keep(child.stdout.take().expect("standard output is piped"), &output),
            keep(child.stderr.take().expect("standard error is piped"), &output),
        ];
        Process { child, name, output, readers }
    }

    /// The lines it has printed so far, of standard output and standard error.
    pub fn output(&self) -> Vec<String> {
        self.output.lock().expect("no reader of the output panicked").clone()
    }

    /// Waits until it has printed a line that holds `text`, and gives the line.
    pub async fn printed(&self, text: &str, deadline: Duration) -> String {
        let line = || async {
            let output = self.output();
            let line = output.iter().find(|line| line.contains(text)).cloned();
            line.ok_or_else(|| format!("{} printed:\n{}", self.name, output.join("\n")))
        };
        eventually(&format!("{} to print {text:?}", self.name), deadline, line).await
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it held at any moment (VmHWM).
    pub fn memory_bytes_peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a Linux machine");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the process is there");
        let kib = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kib << 10
    }

    /// Kills it where it stands (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap_or_else(|error| panic!("cannot kill {}: {error}", self.name));
        self.child.wait().expect("a killed process ends");
    }

    /// Asks it to end, as Ctrl-C does (SIGINT).
    pub fn interrupt(&self) {
        self.signal("-INT");
    }

    /// Asks it to end, as AWS Lambda and Kubernetes do (SIGTERM).
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Holds it where it stands (SIGSTOP).
    pub fn hold(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send {signal} to {}", self.name);
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of a child process").is_none()
    }

    /// Waits until it ends, at most for `deadline`. Its output is complete then.
    pub async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of a child process") {
                for reader in self.readers.drain(..) {
                    reader.join().expect("no reader of the output panicked");
                }
                return status;
            }
            let output = self.output();
            assert!(since.elapsed() < deadline, "{} still runs after {deadline:?}:\n{}", self.name, output.join("\n"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }
}

fn keep(stream: impl Read + Send + 'static, output: &Arc<Mutex<Vec<String>>>) -> thread::JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            output.lock().expect("no reader of the output panicked").push(line);
        }
    })
}
