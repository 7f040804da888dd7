//! The console in a real browser, over `highwater dev`. The pictures it takes are kept in `target/console`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use integration_tests::{
    highwater::{highwater, listener},
    process::Process,
    programs::{python_tool, tool},
};

const LOOKED_AT_WITHIN: Duration = Duration::from_secs(120);
const END_WITHIN: Duration = Duration::from_secs(20);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/console.py");

fn dev(folder: &Path, console: Option<SocketAddr>) -> Process {
    let mut command = highwater(["dev", "--data-dir", &folder.to_string_lossy()]);
    if let Some(address) = console {
        command.env("HIGHWATER_LISTEN_CONSOLE", address.to_string());
    }
    Process::start(&mut command)
}

fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/console");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

/// Waits until the script asks for it; one that ended before has failed.
async fn asks_for_a_restart(person: &mut Process) {
    let since = Instant::now();
    while !person.output().iter().any(|line| line == "restart") {
        let goes_on = person.is_running() && since.elapsed() < LOOKED_AT_WITHIN;
        assert!(goes_on, "{}", person.output().join("\n"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_person_sees_what_is_safe_pauses_resumes_and_looks_at_a_restore() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = dev(folder.path(), None);
    let (console, gateway) = (listener(&server, "console").await, listener(&server, "gateway").await);
    let mut person = Process::start(
        Command::new(python_tool("python"))
            .arg(SCRIPT)
            .arg(tool("chromium"))
            .args([console.to_string(), gateway.to_string()])
            .arg(pictures()),
    );
    asks_for_a_restart(&mut person).await;
    server.interrupt();
    server.ended(END_WITHIN).await;
    let _server = dev(folder.path(), Some(console));
    let status = person.ended(LOOKED_AT_WITHIN).await;
    assert!(status.success(), "{}", person.output().join("\n"));
}
