//! The container image: built from `infra/Dockerfile`, and run as confined as the Helm chart runs it.

use std::{net::TcpListener, path::Path, process::Command, time::Duration};

use integration_tests::{
    eventually::eventually, kafka::Kafka, kafka_producer::NewRecord, lambda::Deployment, programs::binary,
};

/// What the binary that is built here needs beside glibc is in this image: OpenSSL. A packaged one holds it.
const BASE: &str = "redis_image=";

/// A container, which goes when dropped.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.0]).output();
    }
}

impl Container {
    fn inspect(&self, what: &str) -> String {
        docker(&["inspect", "--format", what, &self.0])
    }

    fn logs(&self) -> String {
        let output = Command::new("docker").args(["logs", &self.0]).output().expect("docker runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker runs");
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "docker {args:?}: {text}{error}");
    text.trim().to_owned()
}

/// Builds the image and gives its id.
fn image() -> String {
    let infra = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra");
    let names = std::fs::read_to_string(infra.join("images/names.env")).expect("names.env can be read");
    let base = names.lines().find_map(|line| line.strip_prefix(BASE)).expect("names.env names the image of redis");
    let context = tempfile::tempdir().expect("a folder");
    std::fs::copy(binary("highwater"), context.path().join("highwater")).expect("the binary can be copied");
    let (file, base) = (infra.join("Dockerfile"), format!("BASE={base}"));
    let (file, folder) = (file.to_str().expect("UTF-8"), context.path().to_str().expect("UTF-8"));
    docker(&["build", "--quiet", "--file", file, "--build-arg", &base, folder])
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_without_rights_or_a_disk_says_that_it_is_healthy_and_stops_when_told() {
    let kafka = Kafka::shared().await;
    let topic = kafka.new_topic("container", 1, &[]).await;
    kafka.produce(&topic, (0..50).map(|n| NewRecord::new(format!("value {n}")).partition(0)).collect()).await;
    let deployment = Deployment::of(&topic).await;
    let image = image();
    let [metrics, query, gateway, console] = ["METRICS", "QUERY", "GATEWAY", "CONSOLE"]
        .map(|listener| format!("HIGHWATER_LISTEN_{listener}=127.0.0.1:{}", free_port()));
    let config = format!("HIGHWATER_CONFIG={}", deployment.config(1 << 20).await);
    let confined =
        ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--health-interval", "1s"];
    let mut args = vec!["run", "--detach", "--network", "host"];
    args.extend(confined);
    for variable in [&metrics, &query, &gateway, &console, &config] {
        args.extend(["--env", variable]);
    }
    args.push(&image);
    let container = Container(docker(&args));
    assert_eq!(container.inspect("{{.Config.User}}"), "65532:65532");

    eventually("the container to be healthy", Duration::from_secs(60), || async {
        let health = container.inspect("{{.State.Health.Status}}");
        if health == "healthy" { Ok(()) } else { Err(format!("{health}: {}", container.logs())) }
    })
    .await;
    docker(&["stop", "--time", "30", &container.0]);
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}

#[test]
fn nobody_to_ask_is_not_healthy() {
    let container = docker(&["run", "--rm", "--detach", "--network", "none", "--entrypoint", "sleep", &image(), "60"]);
    let container = Container(container);
    let asked = Command::new("docker").args(["exec", &container.0, "/usr/local/bin/highwater", "health"]).output();
    let asked = asked.expect("docker runs");
    assert_eq!(asked.status.code(), Some(1));
    let told = String::from_utf8_lossy(&asked.stdout);
    assert!(told.starts_with("not healthy at 127.0.0.1:9000: "), "{told}");
}
