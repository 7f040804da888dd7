//! Containers: which engine and images a run uses, and how its containers go away.

use std::{
    future::Future,
    io::Write as _,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use testcontainers::{ContainerAsync, ContainerRequest, Image, ImageExt as _, runners::AsyncRunner as _};
use tokio::{runtime::Runtime, sync::OnceCell};

/// The names and tags that testcontainers pulls and `infra/images` builds.
const IMAGES: &str = include_str!("../../infra/images/names.env");
/// Every container of a run carries it; its value is the run.
const RUN_LABEL: &str = "highwater.test-run";

/// A server that all tests of the binary share: the first that asks starts it.
pub type Shared<T> = OnceCell<T>;

/// Name and tag of the image of `server`: kafka, redis or versitygw.
pub(crate) fn image(server: &str) -> (&'static str, &'static str) {
    let pairs = IMAGES.lines().filter_map(|line| line.split_once("_image="));
    pairs
        .filter(|(name, _)| *name == server)
        .find_map(|(_, image)| image.split_once(':'))
        .unwrap_or_else(|| panic!("infra/images/names.env has no line {server}_image=NAME:TAG"))
}

/// Starts a container that goes when this process ends, and prints what it runs on.
pub(crate) async fn start<I: Image + 'static>(request: ContainerRequest<I>) -> ContainerAsync<I> {
    static ENGINE: OnceLock<()> = OnceLock::new();
    ENGINE.get_or_init(|| print(&format!("docker {}", engine_version())));
    remove_containers_at_exit();

    let image = request.descriptor();
    let since = Instant::now();
    let request = request.with_label(RUN_LABEL, run()).with_startup_timeout(Duration::from_secs(120));
    let started = outliving_the_test(request.start()).await;
    let container = started.unwrap_or_else(|error| {
        panic!("cannot start a container of {image}: {error}; `./just prepare` makes engine and images ready")
    });
    print(&format!("{image}, {}, ready in {:.1} s", origin(&image), since.elapsed().as_secs_f64()));
    container
}

/// Runs on a runtime that lives as long as the process, so that what is shared does not hang on the first test's runtime.
pub(crate) async fn outliving_the_test<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime for the shared servers"));
    RUNTIME.spawn(work).await.expect("the work on the shared servers' runtime did not panic")
}

/// The name of this run, of which there is one at a time on the machine.
fn run() -> &'static str {
    static RUN: LazyLock<String> = LazyLock::new(|| {
        std::env::var("HIGHWATER_TEST_RUN")
            .unwrap_or_else(|_| format!("{}-{:08x}", std::process::id(), rand::random::<u32>()))
    });
    &RUN
}

/// A static container is never dropped, and a killed process drops nothing. So a shell waits for the end of its input,
/// which comes when this process ends, however it ends, and removes the run's containers. Twice, because one may be
/// about to start.
fn remove_containers_at_exit() {
    static REMOVER: OnceLock<Child> = OnceLock::new();
    REMOVER.get_or_init(|| {
        let remove = format!(
            "docker ps --all --quiet --filter label={RUN_LABEL}={run} | xargs -r docker rm --force --volumes; \
             docker volume ls --quiet --filter name=highwater-{run}- | xargs -r docker volume rm",
            run = run()
        );
        Command::new("sh")
            .args(["-c", &format!("read -r nothing; {remove}; sleep 1; {remove}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell that removes the containers at the end")
    });
}

/// A port of the loopback that is free now and that the system gives to nobody by itself: a container that is published
/// there is found there again after a restart.
pub(crate) fn lasting_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).expect("less than a hundred") * 100;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed)).take(100);
    ports.find(free).unwrap_or_else(|| panic!("no port of the hundred from {first} on is free"))
}

/// The name of a new volume, which goes when this process ends.
pub(crate) fn volume() -> String {
    static NUMBER: AtomicU16 = AtomicU16::new(0);
    format!("highwater-{}-{}", run(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Runs a shell command in a container of its own of the image of `server`, with a volume at `/volume`.
pub(crate) fn with_volume(server: &str, volume: &str, command: &str) {
    let ((name, tag), mount) = (image(server), format!("{volume}:/volume"));
    let (image, label) = (format!("{name}:{tag}"), format!("{RUN_LABEL}={}", run()));
    let run = ["run", "--rm", "--user", "0", "--label", &label, "--volume", &mount, "--entrypoint", "sh", &image];
    let ran = docker(&[&run[..], &["-c", command][..]].concat());
    ran.unwrap_or_else(|error| panic!("{command:?} fails in a container of {image}: {error}"));
}

/// Ends a container's processes where they stand, and starts them again on what they had written.
pub(crate) async fn restart<I: Image>(container: &ContainerAsync<I>) {
    container.stop_with_timeout(Some(0)).await.expect("the container can be stopped");
    container.start().await.expect("the container can be started again");
}

/// Stops the container's processes where they stand, until [`resume`]. A stop signal does this at once on a busy machine too,
/// where the engine's freezer waits for all threads and may fail.
pub(crate) fn pause<I: Image>(container: &ContainerAsync<I>) {
    signal(container, "STOP");
}

/// Lets the container's processes go on.
pub(crate) fn resume<I: Image>(container: &ContainerAsync<I>) {
    signal(container, "CONT");
}

/// Signals every process of a container: the first one, which may be a shell that waits for the server, and all others.
fn signal<I: Image>(container: &ContainerAsync<I>, signal: &str) {
    let others = format!("kill -{signal} -1 || true"); // there may be no others
    for arguments in [&["exec", container.id(), "sh", "-c", &others][..], &["kill", "--signal", signal, container.id()]]
    {
        docker(arguments)
            .unwrap_or_else(|error| panic!("cannot send SIG{signal} to container {}: {error}", container.id()));
    }
}

fn engine_version() -> String {
    docker(&["version", "--format", "{{.Server.Version}} ({{.Server.Os}}/{{.Server.Arch}})"]).unwrap_or_else(|error| {
        panic!("no container engine answers: {error}; `./just prepare` starts one where it may")
    })
}

fn origin(image: &str) -> String {
    let label = r#"{{index .Config.Labels "highwater.origin"}}"#;
    let built = docker(&["image", "inspect", "--format", label, image]).unwrap_or_default();
    if built.is_empty() { "the published image".to_owned() } else { built }
}

pub(crate) fn docker(arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new("docker").args(arguments).output().map_err(|error| format!("cannot run docker: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Past the test framework, which keeps the output of tests that pass to itself.
fn print(what: &str) {
    writeln!(std::io::stderr(), "backend: {what}").expect("standard error can be written");
}
