//! Every HTTP surface against the document that describes it: schemathesis asks what the document allows and what it does
//! not, and no answer may be a server error or another than is written there.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use integration_tests::{
    eventually::eventually,
    highwater::{highwater, listener},
    http,
    process::Process,
    programs::python_tool,
};
use serde_json::Value;

const READY_WITHIN: Duration = Duration::from_secs(30);
const CHECKS: &str = "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance";

/// The document without the addresses it has for a first start.
async fn document(console: SocketAddr) -> Value {
    let answer = http::get(console, "/openapi.json").await.expect("the document");
    let mut document: Value = serde_json::from_str(&answer.body).expect("JSON");
    document.as_object_mut().expect("an object").remove("servers");
    let paths = document["paths"].as_object_mut().expect("paths");
    paths.values_mut().for_each(|path| drop(path.as_object_mut().map(|path| path.remove("servers"))));
    document
}

fn check(document: &Path, address: SocketAddr, paths: &str) {
    let output = Command::new(python_tool("schemathesis"))
        .arg("run")
        .arg(document)
        .args(["--url", &format!("http://{address}"), "--include-path-regex", paths, "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "1", "--no-color"])
        .current_dir(document.parent().expect("a folder"))
        .output()
        .expect("schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("generated"), "nothing was asked:\n{said}");
}

#[tokio::test]
async fn every_surface_answers_as_the_document_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data_dir = folder.path().join("data");
    let server = Process::start(&mut highwater(["dev", "--data-dir", &data_dir.to_string_lossy()]));
    let console = listener(&server, "console").await;
    eventually("figures", READY_WITHIN, || async {
        let answer = http::get(console, "/_/highwater/figures/backups/main/topics/orders").await?;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    let file = folder.path().join("openapi.json");
    fs::write(&file, document(console).await.to_string()).expect("the document");
    for (name, paths) in [
        ("console", "^/_/highwater/(figures|api|segments)"),
        ("query", "^/_/(highwater/(figures|api|segments)|backbeat)"),
        ("metrics", "^/(metrics|readyz|healthz)"),
        ("gateway", "^/(namespaces|schema)"),
        ("invoke", "^/2015"),
    ] {
        check(&file, listener(&server, name).await, paths);
    }
}
