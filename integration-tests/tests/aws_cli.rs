//! The aws CLI at the embedded S3, as the banner of `highwater dev` invites to, and at the Invoke API.

use std::{
    path::Path,
    process::{Command, Output},
};

use integration_tests::{
    highwater::{highwater, listener},
    process::Process,
    programs,
};
use shared::adapters::s3::embedded::{ACCESS_KEY_ID, EmbeddedS3, REGION, SECRET_ACCESS_KEY};

/// The command that a user types, in a folder of the test's own.
fn aws(server: &EmbeddedS3, folder: &Path, arguments: &str) -> Output {
    Command::new(programs::python_tool("aws"))
        .args(["--endpoint-url", &format!("http://{}", server.address())])
        .args(arguments.split(' '))
        .current_dir(folder)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .output()
        .expect("the aws CLI runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_cli_can_use_the_embedded_s3() {
    let (data, work) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let server = EmbeddedS3::start(data.path(), loopback, "highwater").await.expect("the embedded S3 starts");
    let run = |arguments: &str| {
        let output = aws(&server, work.path(), arguments);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "aws {arguments}: {printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    };
    std::fs::write(work.path().join("one"), "a segment").expect("a file");

    assert!(run("s3 ls").trim_end().ends_with(" highwater"));
    run("s3 cp one s3://highwater/main/orders/1/0/00000000000000000000.kan");
    run("s3 cp one s3://highwater/main/=owner.json");
    assert!(run("s3 ls s3://highwater/main/").contains("PRE orders/"));
    let listed = run("s3 ls --recursive s3://highwater/main/");
    assert!(
        listed.contains("9 main/orders/1/0/00000000000000000000.kan") && listed.contains("main/=owner.json"),
        "{listed}"
    );
    run("s3 sync s3://highwater/main copy");
    let copied = std::fs::read_to_string(work.path().join("copy/orders/1/0/00000000000000000000.kan"));
    assert_eq!(copied.expect("the copy"), "a segment");
    run("s3 rm --recursive s3://highwater/main/orders");
    assert!(!run("s3 ls s3://highwater/main/").contains("orders"));

    run("s3api put-object --bucket highwater --key once --body one --if-none-match *");
    let again =
        aws(&server, work.path(), "s3api put-object --bucket highwater --key once --body one --if-none-match *");
    assert!(String::from_utf8_lossy(&again.stderr).contains("PreconditionFailed"), "{again:?}");
    run("s3 mb s3://another");
    assert_eq!(run("s3 ls").lines().count(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_cli_invokes_functions_at_the_runners_invoke_api() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().join("data");
    let server = Process::start(&mut highwater(["dev", "--data-dir", &data_dir.to_string_lossy()]));
    let invoke = listener(&server, "invoke").await;
    let cli = |arguments: &[&str]| {
        let output = Command::new(programs::python_tool("aws"))
            .args(["--endpoint-url", &format!("http://{invoke}"), "lambda", "invoke"])
            .args(arguments)
            .arg("answer.json")
            .current_dir(folder.path())
            .env("AWS_ACCESS_KEY_ID", "any")
            .env("AWS_SECRET_ACCESS_KEY", "any")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .output()
            .expect("the aws CLI runs");
        let answer = std::fs::read_to_string(folder.path().join("answer.json")).unwrap_or_default();
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            answer,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (told, answer, error) = cli(&["--function-name", "segment-writer", "--payload", r#"{"backup":"main"}"#]);
    assert!(told.contains("\"StatusCode\": 200") && !told.contains("FunctionError"), "{told} {error}");
    assert!(answer.contains("\"partitions\""), "{answer}");
    let (told, answer, _) = cli(&["--function-name", "segment-writer", "--payload", r#"{"backup":"nobody"}"#]);
    assert!(told.contains("\"FunctionError\"") && answer.contains("errorMessage"), "{told} {answer}");
    let (_, _, error) = cli(&["--function-name", "nothing", "--payload", "{}"]);
    assert!(error.contains("ResourceNotFoundException"), "{error}");
}
