//! `highwater dev`: everything in one process.

use std::{fs, net::SocketAddr, path::Path, process::Command, time::Duration};

use integration_tests::{
    eventually::eventually,
    highwater::{highwater, listener},
    http,
    process::Process,
    programs,
};
use serde_json::Value;

/// What the issue allows between the banner and figures that move.
const FIGURES_WITHIN: Duration = Duration::from_secs(10);
const END_WITHIN: Duration = Duration::from_secs(20);
/// Segments close after 2 s here.
const SEGMENTS_WITHIN: Duration = Duration::from_secs(60);

fn start(folder: &Path) -> Process {
    Process::start(&mut highwater(["dev", "--data-dir", &folder.to_string_lossy()]))
}

/// What a command prints as JSON, over the folder.
fn json(folder: &Path, args: &[&str]) -> Value {
    let folder = folder.to_string_lossy();
    let output =
        highwater(args.iter().copied().chain(["--json", "--data-dir", &folder])).output().expect("highwater starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{args:?}: {error} in {text:?}; {}", String::from_utf8_lossy(&output.stderr)))
}

/// The sum of a series over its labels.
async fn series(metrics: SocketAddr, name: &str) -> Result<f64, String> {
    let page = http::get(metrics, "/metrics").await?;
    let lines =
        page.body.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
    let values: Vec<f64> = lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    if values.is_empty() { Err(format!("{} {}", page.status, page.body)) } else { Ok(values.iter().sum()) }
}

async fn completions(query: SocketAddr) -> Result<f64, String> {
    let answer = http::get(query, "/_/backbeat/api/metrics/crr/us-east-1/completions").await?;
    let body: Value = serde_json::from_str(&answer.body).map_err(|error| format!("{error}: {}", answer.body))?;
    body["completions"]["results"]["count"].as_f64().ok_or(answer.body)
}

/// Waits until a figure is above `least`, and gives it.
async fn above<F: Future<Output = Result<f64, String>>>(what: &str, least: f64, ask: impl Fn() -> F) -> f64 {
    eventually(&format!("{what} above {least}"), FIGURES_WITHIN, || async {
        let figure = ask().await?;
        if figure > least { Ok(figure) } else { Err(format!("it is {figure}")) }
    })
    .await
}

async fn figures_move(process: &Process) {
    let (metrics, query) = (listener(process, "metrics").await, listener(process, "query").await);
    let stored = above("stored records", 0.0, || series(metrics, "backup_sink_records_count")).await;
    let completed = above("completions", 0.0, || completions(query)).await;
    above("stored records", stored, || series(metrics, "backup_sink_records_count")).await;
    above("completions", completed, || completions(query)).await;
}

async fn end(process: &mut Process) {
    process.interrupt();
    let status = process.ended(END_WITHIN).await;
    assert!(status.success(), "{status}: {}", process.output().join("\n"));
}

fn incarnations(folder: &Path, topic: &str) -> Vec<(u64, u64)> {
    let topics = json(folder, &["topics"]);
    let of_topic = topics["topics"].as_array().into_iter().flatten().filter(|held| held["topic"] == topic);
    of_topic.filter_map(|held| Some((held["incarnation"].as_u64()?, held["records"].as_u64()?))).collect()
}

#[tokio::test]
async fn figures_move_ctrl_c_writes_everything_and_a_second_start_keeps_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();

    let mut first = start(folder);
    figures_move(&first).await;
    assert!(!incarnations(folder, "orders").is_empty(), "the folder can be read while it is served");
    eventually("a segment between two others", SEGMENTS_WITHIN, || async {
        let segments = json(folder, &["segments", "orders"]);
        let count = segments["segments"].as_array().into_iter().flatten().filter(|it| it["partition"] == 0).count();
        if count > 2 { Ok(()) } else { Err(format!("{count} segments")) }
    })
    .await;
    end(&mut first).await;
    let kept = incarnations(folder, "orders");
    assert!(matches!(kept[..], [(1, 1..)]), "{kept:?}");
    assert_eq!(json(folder, &["verify"])["good"], true);

    assert_eq!(rows_that_duckdb_reads(&json(folder, &["sql", "orders"])), kept[0].1);
    a_reader_stops_at_a_hole(folder);
    what_is_not_there_is_an_error_that_names_it(folder);

    let mut second = start(folder);
    figures_move(&second).await;
    end(&mut second).await;
    let both = incarnations(folder, "orders");
    assert!(matches!(both[..], [first, (2, 1..)] if first == kept[0]), "{both:?} after {kept:?}");
    assert_eq!(json(folder, &["verify"])["good"], true);
}

/// How many rows the query of `highwater sql` has, as it is printed.
fn rows_that_duckdb_reads(report: &Value) -> u64 {
    let count = "import duckdb, sys; print(len(duckdb.sql(sys.argv[1]).fetchall()))";
    let sql = report["sql"].as_str().expect("a query");
    let output = Command::new(programs::python_tool("python")).args(["-c", count, sql]).output().expect("python");
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.trim().parse().unwrap_or_else(|_| panic!("{sql}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Hides a segment in the middle of a partition, and puts it back.
fn a_reader_stops_at_a_hole(folder: &Path) {
    let segments = json(folder, &["segments", "orders"]);
    let of_partition = |it: &&Value| it["partition"] == 0;
    let segments: Vec<_> = segments["segments"].as_array().into_iter().flatten().filter(of_partition).collect();
    assert!(segments.len() > 2, "{segments:?}");
    let file = folder.join("s3/highwater").join(segments[1]["key"].as_str().expect("a key"));
    let body = fs::read(&file).expect("the segment");
    fs::remove_file(&file).expect("the segment is a file");
    for command in [["cat", "orders"], ["sql", "orders"], ["segments", "orders"]] {
        let arguments = command.into_iter().chain(["--data-dir", folder.to_str().expect("UTF-8")]);
        let output = highwater(arguments).output().expect("highwater starts");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        let hole = format!("the offsets from {} to before {}", segments[1]["base"], segments[1]["next"]);
        assert!(told.contains(&hole), "{command:?} does not tell of {hole}: {told}");
        assert_eq!(output.status.code(), Some(1), "{command:?}");
    }
    fs::write(&file, body).expect("the segment is put back");
}

fn what_is_not_there_is_an_error_that_names_it(folder: &Path) {
    let folder = folder.to_str().expect("UTF-8");
    let commands: [(&[&str], &str); 4] = [
        (&["segments", "nothere"], "nothere"),
        (&["cat", "nothere"], "nothere"),
        (&["sql", "nothere"], "nothere"),
        (&["cat", "orders", "--partition", "9"], "partition 9"),
    ];
    for (command, named) in commands {
        let output =
            highwater(command.iter().copied().chain(["--data-dir", folder])).output().expect("highwater starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(named), "{command:?}: {output:?}");
    }
    let cat = highwater(["cat", "orders", "--partition", "0", "--to", "3", "--json", "--data-dir", folder]).output();
    let cat = cat.expect("highwater starts");
    let lines = String::from_utf8_lossy(&cat.stdout).into_owned();
    assert!(cat.status.success() && !lines.is_empty(), "{cat:?}");
    lines.lines().for_each(|line| drop(serde_json::from_str::<Value>(line).expect("JSON lines")));
}

#[tokio::test]
async fn a_second_dev_on_one_folder_is_refused_by_the_folders_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = start(folder.path());
    listener(&first, "metrics").await;
    let mut second = start(folder.path());
    assert_eq!(second.ended(END_WITHIN).await.code(), Some(2));
    let output = second.output().join("\n");
    assert!(
        output.contains(&*folder.path().to_string_lossy()) && output.contains("in use by another highwater"),
        "{output}"
    );
}
