//! How `highwater` looks: plain in pipes, without colour under NO_COLOR, with progress and fitting tables on a terminal.

use std::process::Command;

use integration_tests::{
    highwater::highwater,
    kafka::Kafka,
    kafka_producer::NewRecord,
    redis_server::RedisServer,
    serving::{PARTITIONS, Serving},
    terminal::{looks, on_a_terminal},
};

const RECORDS: i32 = 4_000;
const WIDE: u16 = 120;
const NARROW: u16 = 60;

/// A topic with records, which nothing has backed up yet.
async fn with_records(base: &str) -> Serving {
    let kafka = Kafka::shared().await;
    let serving = Serving::new(base, kafka, &RedisServer::shared().await.new_database().url).await;
    produce(&serving.topic).await;
    serving
}

async fn produce(topic: &str) {
    let record =
        |number: i32| NewRecord::new(format!("value {number} {}", "x".repeat(100))).partition(number % PARTITIONS);
    Kafka::shared().await.produce(topic, (0..RECORDS).map(record).collect()).await;
}

/// What a bar said each time it was drawn: how many are done, of how many, the rate, and the time left.
fn drawn(text: &str, unit: &str) -> Vec<(u64, u64, String, String)> {
    let number = |text: &str| text.replace(',', "").parse::<u64>().ok();
    let bar = |frame: &str| {
        let (done, rest) = frame.split_once(&format!(" {unit}, "))?;
        let (done, all) = done.rsplit(' ').next()?.split_once('/')?;
        let (rate, left) = rest.split_once("/s, ")?;
        Some((number(done)?, number(all)?, rate.to_owned(), left.split_once(" left")?.0.to_owned()))
    };
    text.split(['\r', '\n']).filter_map(bar).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_pipe_there_is_no_escape_sequence_and_no_bar() {
    let serving = with_records("plain-pipe").await;
    let commands: [&[&str]; 9] = [
        &["backup"],
        &["restore", "--topic", &serving.topic, "--suffix=-copy"],
        &["topics"],
        &["verify", "--deep"],
        &["doctor"],
        &["config", "check"],
        &["--help"],
        &["topics", "--wrong"],
        &["cat", "nothing"],
    ];
    for args in commands {
        let mut command = serving.command(args);
        command.env("RUST_LOG", "debug").env("TERM", "xterm-256color").env_remove("NO_COLOR");
        let output = command.output().expect("it starts");
        let text = [output.stdout, output.stderr].concat();
        assert!(!text.is_empty(), "{args:?} said nothing");
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(['\u{1b}', '\r']), "{args:?} wrote more than lines: {text:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_gets_colours_and_none_under_no_color() {
    let serving = with_records("colours").await;
    let of = |args: &[&str], no_color: Option<&str>| {
        let mut command = serving.command(args);
        command.env("RUST_LOG", "debug");
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        command
    };
    for args in [&["topics"][..], &["--help"], &["topics", "--wrong"]] {
        let coloured = on_a_terminal(WIDE, &of(args, None)).await;
        assert!(!looks(&coloured.text).is_empty(), "{args:?} has no colour to leave out: {:?}", coloured.text);
        let plain = on_a_terminal(WIDE, &of(args, Some("1"))).await;
        assert_eq!(looks(&plain.text), [] as [&str; 0], "{args:?}: {:?}", plain.text);
        assert_eq!(plain.code, coloured.code, "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_on_a_terminal_shows_how_much_there_is_its_rate_and_the_time_left() {
    let serving = with_records("bar-backup").await;
    let backup = on_a_terminal(WIDE, &serving.command(&["backup"])).await;
    assert_eq!(backup.code, Some(0), "{}", backup.text);
    let drawn = drawn(&backup.text, "records");
    assert!(drawn.iter().any(|(_, all, ..)| *all == RECORDS as u64), "{drawn:?}: {:?}", backup.text);
    let last_line = backup.text.trim_end().lines().last().unwrap_or_default();
    assert!(last_line.ends_with("done"), "the bar goes, and the table stays: {:?}", backup.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_on_a_terminal_shows_how_far_it_is_its_rate_and_the_time_left() {
    let serving = with_records("bar-restore").await;
    assert!(serving.run(&["backup"]).await.status.success());
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.toml");
    // Slow enough that several looks at it fall between its beginning and its end.
    let slow = format!(
        "suffix = \"-copy\"\nrecords_per_s = 1000\ntransaction_bytes_max = \"32KiB\"\n[[topics]]\nsource = {:?}\n",
        serving.topic
    );
    std::fs::write(&plan, slow).expect("the plan");
    let restore = on_a_terminal(WIDE, &serving.command(&["restore", &plan.to_string_lossy()])).await;
    assert_eq!(restore.code, Some(0), "{}", restore.text);
    let drawn = drawn(&restore.text, "records");
    let is_under_way = |(done, all, rate, left): &(u64, u64, String, String)| {
        *done > 0 && *done < RECORDS as u64 && *all == RECORDS as u64 && rate != "0" && !left.is_empty()
    };
    assert!(drawn.iter().any(is_under_way), "{drawn:?}");
    assert!(drawn.is_sorted_by_key(|(done, ..)| *done), "it never goes back: {drawn:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_no_wider_than_the_terminal_and_whole_in_a_pipe() {
    let (kafka, redis) = (Kafka::shared().await, RedisServer::shared().await);
    let mut serving = Serving::new("narrow", kafka, &redis.new_database().url).await;
    serving.topic = kafka.new_topic(&"long-name-".repeat(8), PARTITIONS, &[]).await;
    serving.include.clone_from(&serving.topic);
    produce(&serving.topic).await;
    assert!(serving.run(&["backup"]).await.status.success());
    for args in [&["topics"][..], &["segments"], &["groups"]] {
        for columns in [NARROW, WIDE] {
            let table = on_a_terminal(columns, &serving.command(args)).await;
            assert_eq!(table.code, Some(0), "{}", table.text);
            let too_wide = table.text.lines().find(|line| line.chars().count() > columns.into());
            assert_eq!(too_wide, None, "{args:?} on {columns} columns:\n{}", table.text);
        }
    }
    let narrow = on_a_terminal(NARROW, &serving.command(&["topics"])).await;
    assert!(narrow.text.contains("RECORDS") && narrow.text.contains(&RECORDS.to_string()), "{}", narrow.text);
    let piped = serving.run(&["topics"]).await;
    assert!(String::from_utf8_lossy(&piped.stdout).contains(&serving.topic), "{piped:?}");
}

#[tokio::test]
async fn help_fits_the_terminal() {
    let commands: [&[&str]; 3] = [&["--help"], &["restore", "--help"], &["config", "reference", "--help"]];
    for args in commands {
        let command: Command = highwater(args.iter().copied());
        let help = on_a_terminal(80, &command).await;
        assert!(help.text.contains("Usage"), "{}", help.text);
        let plain = without_looks(&help.text);
        let options = plain.lines().take_while(|line| !line.starts_with("Examples"));
        let too_wide: Vec<&str> = options.filter(|line| line.chars().count() > 80).collect();
        assert_eq!(too_wide, [] as [&str; 0], "{args:?}");
    }
}

fn without_looks(text: &str) -> String {
    let mut plain = text.to_owned();
    for look in looks(text) {
        plain = plain.replacen(&format!("\u{1b}[{look}"), "", 1);
    }
    plain
}
