//! cargo-lambda's emulation of Lambda: another reading of the Runtime API than this project's own.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use serde_json::Value;
use shared::{
    adapters::{lambda::LambdaInvoker, system_clock::SystemClock},
    ports::invoker::{InvokeError, Invoker as _},
};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{backend, eventually::eventually, process::Process, programs::deploy_tool};

/// The name that it has for a function which it did not build and start itself.
pub const ANY_FUNCTION: &str = "_";
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running emulation, for one function.
pub struct CargoLambda {
    address: SocketAddr,
    invoker: LambdaInvoker<SystemClock>,
    _process: Process,
    _project: TempDir,
}

impl CargoLambda {
    /// Starts one, and waits until it listens.
    pub async fn start() -> CargoLambda {
        let project = project();
        let address = SocketAddr::from(([127, 0, 0, 1], backend::lasting_port()));
        let mut command = Command::new(deploy_tool("cargo-lambda"));
        command.args(["lambda", "watch", "--only-lambda-apis", "--ignore-changes", "--invoke-address", "127.0.0.1"]);
        let process =
            Process::start(command.arg("--invoke-port").arg(address.port().to_string()).current_dir(&project));
        eventually("cargo-lambda to listen", READY_WITHIN, || async {
            let connected = TcpStream::connect(address).await;
            connected.map(drop).map_err(|error| format!("{error}; it printed:\n{}", process.output().join("\n")))
        })
        .await;
        let endpoint = format!("http://{address}").parse().expect("an endpoint");
        let invoker = LambdaInvoker::connect("", Some(&endpoint), SystemClock).await.expect("an invoker");
        CargoLambda { address, invoker, _process: process, _project: project }
    }

    /// What a function has as `AWS_LAMBDA_RUNTIME_API`.
    pub fn runtime_api(&self) -> String {
        format!("http://{}/.rt", self.address)
    }

    /// Invokes the function that asks here.
    pub async fn invoke(&self, payload: Value) -> Result<Value, InvokeError> {
        self.invoker.invoke(ANY_FUNCTION, payload).await
    }
}

/// It wants a project, whose functions it would build; this one has none to speak of.
fn project() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = "[package]\nname = \"nothing\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).expect("a manifest");
    fs::create_dir(folder.path().join("src")).expect("a folder");
    fs::write(folder.path().join("src/main.rs"), "fn main() {}\n").expect("a program");
    folder
}
