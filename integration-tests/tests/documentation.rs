//! What the documentation shows is run, and what infra ships for Prometheus is tested by Prometheus' own tool.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use integration_tests::programs::{python_tool, tool};

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
