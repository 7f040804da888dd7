//! What the documentation shows is run, and what infra ships for Prometheus is tested by Prometheus' own tool.
//!
//! The line before each block in `README.md` and `docs/` says how it is run:
//!
//! | mark | is run as |
//! |---|---|
//! | `<!-- run: settings -->` | a configuration: it must have no problem. `[backups.main]` gets topics where it has none |
//! | `<!-- run: plan -->` | the plan of a restore |
//! | `<!-- run: json -->` | JSON |
//! | `<!-- run: prometheus -->` | a configuration of Prometheus, beside our alerts |
//! | `<!-- run: dev -->` | commands for a shell, beside `highwater dev` |
//! | `<!-- run: reader.py -->` | the reader of segments |
//! | `<!-- not run -->` | not: it needs a cloud, a cluster of the reader's, minutes, or is no code |

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use integration_tests::{
    eventually::eventually,
    highwater::{highwater, listener},
    http,
    process::Process,
    programs::{binary, python_tool, tool},
    serving::series,
};
use shared::{config::Draft, restore::Plan};

const MARKS: [&str; 7] = ["settings", "plan", "json", "prometheus", "dev", "reader.py", "not run"];
const FIGURES_WITHIN: Duration = Duration::from_secs(60);

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The block behind `<!-- run: NAME -->` in a page.
fn block(page: &str, name: &str) -> String {
    let text = std::fs::read_to_string(project(page)).expect("the page");
    let mark = format!("<!-- run: {name} -->\n```");
    let behind = text.split_once(&mark).unwrap_or_else(|| panic!("{page} marks no block {name}")).1;
    let (_, code) = behind.split_once('\n').expect("a line that begins the block");
    code.split_once("\n```").expect("a line that ends the block").0.to_owned()
}

/// A block of a page: what it is run as, and its text.
struct Block {
    page: String,
    mark: String,
    text: String,
}

/// The marked blocks of all pages.
fn blocks() -> Vec<Block> {
    let docs = std::fs::read_dir(project("docs")).expect("docs").map(|entry| entry.expect("a page").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).chain([project("README.md")]);
    let mut blocks = vec![];
    for path in pages {
        let page = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a page");
        let lines: Vec<&str> = text.lines().collect();
        let fences = lines.iter().enumerate().filter(|(_, line)| line.trim().starts_with("```"));
        for (at, _) in fences.step_by(2) {
            let is_marked = at > 0 && lines[at - 1].trim().starts_with("<!-- ");
            assert!(is_marked, "{page}: nothing says whether the block at line {} is run", at + 1);
        }
        for (at, line) in lines.iter().enumerate() {
            let mark = line.trim().strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
            let Some(mark) = mark else { continue };
            let is_block = lines.get(at + 1).is_some_and(|next| next.trim().starts_with("```"));
            assert!(is_block, "{page}: {line} is before no block");
            // A block in a list is indented as the list is.
            let indent = line.len() - line.trim_start().len();
            let inside = lines[at + 2..].iter().take_while(|line| line.trim() != "```");
            let text: Vec<&str> = inside.map(|line| line.get(indent..).unwrap_or_default()).collect();
            let mark = mark.strip_prefix("run: ").unwrap_or(mark).to_owned();
            assert!(MARKS.contains(&&*mark), "{page}: {mark:?} is no mark");
            blocks.push(Block { page: page.clone(), mark, text: text.join("\n") });
        }
    }
    blocks
}

fn marked(mark: &str) -> Vec<Block> {
    let marked: Vec<Block> = blocks().into_iter().filter(|block| block.mark == mark).collect();
    assert!(!marked.is_empty(), "no block is marked {mark:?}");
    marked
}

fn read_by_the_page(segment: &[u8]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (script, file) = (folder.path().join("reader.py"), folder.path().join("s.kan"));
    std::fs::write(&script, block("docs/segment-format.md", "reader.py")).expect("the script");
    std::fs::write(&file, segment).expect("the segment");
    Command::new(python_tool("python")).args([script, file]).output().expect("python starts")
}

#[test]
fn the_reader_of_the_documentation_reads_a_segment_and_proves_its_digest() {
    let segment = std::fs::read(project("shared/src/segment/fixtures/v2.kan")).expect("the golden segment");
    let output = read_by_the_page(&segment);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = r#"{"offset": 9, "timestamp_ms": 1700000000001, "timestamp_type": 1, "key": "b3JkZXItMQ==", "value": null, "headers": [["YQ==", "MQ=="], ["YQ==", "Mg=="], ["//4=", "AA=="]]}"#;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((lines.lines().count(), lines.lines().last()), (4, Some(expected)));

    let digest = br#"},"digest":"61d6"#;
    let at = segment.windows(digest.len()).position(|bytes| bytes == digest).expect("the digest in the footer");
    let mut damaged = segment;
    damaged[at + digest.len() - 1] = b'7';
    let refused = read_by_the_page(&damaged);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not those that were stored"));
}

#[test]
fn every_alert_fires_when_it_should_and_clears() {
    let rules = project("infra/prometheus/alerts-test.yaml");
    let output = Command::new(tool("promtool")).args(["test", "rules"]).arg(rules).output().expect("promtool starts");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", said.join("\n"));
    let text = |name: &str| std::fs::read_to_string(project(&format!("infra/prometheus/{name}"))).expect("the rules");
    let (alerts, tests) = (text("alerts.yaml"), text("alerts-test.yaml"));
    for name in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let mark = format!("alertname: {name}");
        assert!(tests.matches(&mark).count() >= 3, "{name} is not shown to fire and clear");
    }
}

/// A fragment with what a reader has beside it.
fn whole(settings: &str) -> String {
    const TOPICS: &str = "[backups.main]\ntopics = { include = [\"*\"] }\n";
    let has_topics = settings.contains("topics = { include");
    match settings.contains("[backups.main]\n") {
        _ if has_topics || !settings.contains("backups.main") => settings.to_owned(),
        true => settings.replacen("[backups.main]\n", TOPICS, 1),
        false => format!("{TOPICS}{settings}"),
    }
}

#[test]
fn settings_and_plans_of_the_documentation_are_valid() {
    for Block { page, text, .. } in marked("settings") {
        let mut draft =
            Draft::new(&whole(&text), &BTreeMap::new()).unwrap_or_else(|problems| panic!("{page}: {problems:?}"));
        for (path, _) in draft.secret_files() {
            draft.set_secret(&path, "0123456789abcdef0123456789abcdef");
        }
        if let Err(problems) = draft.settings() {
            panic!("{page}: {problems:?} in\n{text}");
        }
    }
    for Block { page, text, .. } in marked("plan") {
        if let Err(problem) = Plan::parse(&text) {
            panic!("{page}: {problem} in\n{text}");
        }
    }
    for Block { page, text, .. } in marked("json") {
        if let Err(problem) = serde_json::from_str::<serde_json::Value>(&text) {
            panic!("{page}: {problem} in\n{text}");
        }
    }
}

#[test]
fn prometheus_takes_the_configuration_of_the_documentation() {
    for Block { page, text, .. } in marked("prometheus") {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let rules = std::fs::read(project("infra/prometheus/alerts.yaml")).expect("the rules");
        std::fs::write(folder.path().join("alerts.yaml"), rules).expect("the rules are copied");
        let config = folder.path().join("prometheus.yaml");
        std::fs::write(&config, &text).expect("the configuration is written");
        let output =
            Command::new(tool("promtool")).args(["check", "config"]).arg(config).output().expect("promtool starts");
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n");
        assert!(output.status.success() && said.contains("rules found"), "{page}: {said}");
    }
}

/// Commands as a reader types them, with the addresses of this `dev`, and failing where an answer is an error.
fn for_this_dev(commands: &str, listeners: &[(u16, SocketAddr)]) -> String {
    let mut commands = commands.replace("curl ", "curl --fail-with-body ");
    for (port, address) in listeners {
        for host in ["127.0.0.1", "localhost"] {
            commands = commands.replace(&format!("{host}:{port}"), &address.to_string());
        }
    }
    commands
}

#[tokio::test]
async fn the_commands_of_the_documentation_work_beside_highwater_dev() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir_all(folder.path().join("target/debug")).expect("a folder");
    std::os::unix::fs::symlink(binary("highwater"), folder.path().join("target/debug/highwater")).expect("a link");
    let server = Process::start(highwater(["dev"]).current_dir(folder.path()));
    let mut listeners = vec![];
    for (name, port) in [("metrics", 9000), ("query", 8900), ("console", 8080), ("gateway", 8082)] {
        listeners.push((port, listener(&server, name).await));
    }
    eventually("records of every topic to be stored", FIGURES_WITHIN, || async {
        let page = http::get(listeners[0].1, "/metrics").await?;
        let series = series(&page.body);
        let stored = |topic: &str| series.get(&format!("backup_sink_records_count{{topic={topic:?}}}")) > Some(&0.0);
        if ["clicks", "orders", "payments"].into_iter().all(stored) { Ok(()) } else { Err(page.body) }
    })
    .await;
    for Block { page, text, .. } in marked("dev") {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &for_this_dev(&text, &listeners)]).current_dir(folder.path());
        let output = tokio::task::spawn_blocking(move || shell.output()).await.expect("no panic").expect("bash starts");
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n");
        assert!(output.status.success(), "{page}:\n{text}\n{said}");
    }
}

fn printed(arguments: [&str; 2]) -> String {
    let output = highwater(arguments).output().expect("highwater starts");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_page_of_metrics_ends_with_what_the_program_prints() {
    let page = std::fs::read_to_string(project("docs/metrics.md")).expect("the page");
    let shown = page.find("## Every metric\n").map(|at| &page[at..]);
    assert!(
        shown == Some(&printed(["metrics", "reference"])),
        "docs/metrics.md is old: put what `highwater metrics reference` prints at its end"
    );
}

#[test]
fn the_page_of_settings_is_what_the_program_prints() {
    let printed = printed(["config", "reference"]);
    let page = std::fs::read_to_string(project("docs/configuration.md")).expect("the page");
    let shown = page.split_once("<!-- not run -->\n```markdown\n").expect("a marked block").1;
    assert!(
        shown.strip_suffix("```\n") == Some(&printed),
        "docs/configuration.md is old: put what `highwater config reference` prints into its block"
    );
}
