//! The console in a real browser. The pictures it takes are kept in `target/console`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use integration_tests::{
    highwater::{highwater, listener},
    kafka::Kafka,
    process::Process,
    programs::{python_tool, tool},
    s3_server::S3Server,
    serving::LOCATION,
};

use crate::replication::Replicated;

const LOOKED_AT_WITHIN: Duration = Duration::from_secs(180);
const END_WITHIN: Duration = Duration::from_secs(20);
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/console");
const TOKEN: &str = "0123456789abcdef-of-a-test";

fn dev(folder: &Path) -> Command {
    highwater(["dev", "--data-dir", &folder.to_string_lossy()])
}

fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/console");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

/// A walk of a person through the console, in a browser of its own.
pub struct Person(Process);

impl Person {
    pub fn walks(script: &str, console: SocketAddr, more: &[&str]) -> Person {
        let mut command = Command::new(python_tool("python"));
        command.arg(Path::new(SCRIPTS).join(script)).arg(tool("chromium")).arg(console.to_string());
        Person(Process::start(command.arg(pictures()).args(more)))
    }

    /// Waits until the script asks for something; one that ended before has failed.
    async fn asks_for(&mut self, what: &str) {
        let since = Instant::now();
        while !self.0.output().iter().any(|line| line == what) {
            let goes_on = self.0.is_running() && since.elapsed() < LOOKED_AT_WITHIN;
            assert!(goes_on, "{}", self.0.output().join("\n"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn ends_well(mut self) {
        let status = self.0.ended(LOOKED_AT_WITHIN).await;
        let output = self.0.output();
        assert!(status.success() && output.iter().any(|line| line == "good"), "{}", output.join("\n"));
        output.iter().filter(|line| line.contains(" ms")).for_each(|line| eprintln!("{line}"));
    }
}

#[tokio::test]
async fn a_person_sees_what_is_safe_pauses_resumes_looks_at_a_restore_and_signs_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Process::start(&mut dev(folder.path()));
    let (console, gateway) = (listener(&server, "console").await, listener(&server, "gateway").await);
    let mut person = Person::walks("walk.py", console, &[&gateway.to_string(), TOKEN]);
    person.asks_for("restart").await;
    server.interrupt();
    server.ended(END_WITHIN).await;
    let mut again = dev(folder.path());
    again.env("HIGHWATER_LISTEN_CONSOLE", console.to_string()).env("HIGHWATER_LISTEN_TOKEN", TOKEN);
    let _server = Process::start(&mut again);
    person.ends_well().await;
}

#[tokio::test]
async fn a_thousand_topics_with_hostile_names_are_shown_without_stutter() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Process::start(&mut dev(folder.path()));
    let (console, metrics) = (listener(&server, "console").await, listener(&server, "metrics").await);
    integration_tests::eventually::eventually("figures", LOOKED_AT_WITHIN, || async {
        let page = integration_tests::http::get(metrics, "/metrics").await?;
        if page.body.contains("backup_state{") { Ok(()) } else { Err(page.body) }
    })
    .await;
    Person::walks("many.py", console, &[]).ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_has_a_failed_replication_tried_again() {
    let (kafka, location) = (Kafka::shared().await, S3Server::start().await);
    let it = Replicated::on(kafka, &location, "looked-at").await;
    let served = it.serving.serve().await;
    it.location.pause();
    it.produce(kafka, 20).await;
    let mut person = Person::walks("replication.py", listener(&served.process, "console").await, &[LOCATION]);
    person.asks_for("heal").await;
    it.location.unpause();
    person.ends_well().await;
    it.everything_is_there(20).await;
}
