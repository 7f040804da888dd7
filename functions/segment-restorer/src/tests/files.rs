//! Restores into files.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::{FileFormat, FilesReport, IntoFiles, Meter, into_files};

fn asking(plan: &str, folder: &TempDir) -> IntoFiles {
    let (plan, folder) = (Plan::parse(plan).unwrap(), folder.path().to_owned());
    IntoFiles { plan, dry_run: false, folder, format: FileFormat::Jsonl }
}

async fn restored(world: &World, input: &IntoFiles) -> FilesReport {
    into_files(input, world.objects.clone(), "test", &Meter::default()).await.unwrap()
}

/// The files of a partition in their order.
fn files(folder: &TempDir, topic: &str, partition: i32) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.path().join(topic).join(partition.to_string())) else { return vec![] };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The offsets in the lines of a partition.
fn offsets(folder: &TempDir, topic: &str, partition: i32) -> Vec<i64> {
    let lines = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    let text: String = files(folder, topic, partition).into_iter().map(lines).collect();
    let offset = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["offset"].as_i64().unwrap();
    text.lines().map(offset).collect()
}

async fn stored(world: &World, partition: i32) -> Vec<Record> {
    read_all(world.source.fetch(&[(TopicPartition::new("orders", partition), Offset(0))]).await.unwrap()).await
}

async fn stored_offsets(world: &World, partition: i32) -> Vec<i64> {
    stored(world, partition).await.into_iter().map(|record| record.offset.0).collect()
}

fn sums(report: &FilesReport) -> (u64, u64, u64) {
    let partitions = || report.topics.iter().flat_map(|topic| &topic.partitions);
    let sum = |of: fn(&crate::files::PartitionFiles) -> u64| partitions().map(of).sum();
    (sum(|it| it.files_written), sum(|it| it.files_there), sum(|it| it.counts.records))
}

#[tokio::test]
async fn every_record_is_in_a_line_once_and_a_second_run_adds_what_the_backup_got_since() {
    let (world, folder) = (World::with(40).await, TempDir::new().unwrap());
    let input = asking(ORDERS, &folder);
    let first = restored(&world, &input).await;
    let (written, there, records) = sums(&first);
    assert_eq!((first.outcome, there, records), (Outcome::Done, 0, 120), "{first:?}");
    world.append(40..50);
    world.back_up().await;
    let second = restored(&world, &input).await;
    assert_eq!((sums(&second).1, sums(&second).2), (written, 30), "{second:?}");
    for partition in 0..PARTITIONS {
        assert_eq!(offsets(&folder, "orders", partition), stored_offsets(&world, partition).await);
    }
}

#[tokio::test]
async fn whoever_shows_progress_is_told_of_every_record_that_is_in_a_file() {
    let (world, folder) = (World::with(40).await, TempDir::new().unwrap());
    let (input, meter) = (asking(ORDERS, &folder), Meter::default());
    into_files(&input, world.objects.clone(), "test", &meter).await.unwrap();
    assert_eq!(meter.records(), (120, 120));
}

/// Restores for so many steps, and no longer: on a runtime of its own, which ends when all that it was writing has ended. What
/// were to go on behind a kill would write into what the next run writes.
async fn kill_after(steps: usize, input: IntoFiles, objects: Arc<MemoryObjects>) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let meter = Meter::default();
            let mut run = Box::pin(into_files(&input, objects, "killed", &meter));
            for _ in 0..steps {
                if futures::poll!(&mut run).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        });
    };
    let thread = std::thread::spawn(run);
    tokio::task::spawn_blocking(move || thread.join()).await.unwrap().unwrap();
}

#[tokio::test]
async fn killed_after_any_number_of_steps_every_file_is_whole_or_not_there() {
    for steps in (1..60).step_by(6) {
        let (world, folder) = (World::with(20).await, TempDir::new().unwrap());
        let input = asking(ORDERS, &folder);
        kill_after(steps, input.clone(), world.objects.clone()).await;
        // What a kill leaves: a part of a file beside its place.
        let part = folder.path().join("orders/0/00000000000000000000.jsonl.part");
        std::fs::create_dir_all(part.parent().unwrap()).unwrap();
        std::fs::write(part, "{\"half").unwrap();
        let report = restored(&world, &input).await;
        assert_eq!(report.outcome, Outcome::Done, "{steps}: {report:?}");
        for partition in 0..PARTITIONS {
            let whole: Vec<_> = files(&folder, "orders", partition);
            assert!(whole.iter().all(|path| path.extension().is_some_and(|it| it == "jsonl")), "{whole:?}");
            assert_eq!(offsets(&folder, "orders", partition), stored_offsets(&world, partition).await, "{steps}");
        }
    }
}

#[tokio::test]
async fn parquet_files_hold_the_bytes_of_every_record() {
    use parquet::{
        file::reader::FileReader as _, file::serialized_reader::SerializedFileReader, record::RowAccessor as _,
    };
    let (world, folder) = (World::with(20).await, TempDir::new().unwrap());
    let input = IntoFiles { format: FileFormat::Parquet, ..asking(ORDERS, &folder) };
    assert_eq!(restored(&world, &input).await.outcome, Outcome::Done);
    for partition in 0..PARTITIONS {
        let mut found = vec![];
        for path in files(&folder, "orders", partition) {
            let file = SerializedFileReader::new(Bytes::from(std::fs::read(path).unwrap())).unwrap();
            for row in file.get_row_iter(None).unwrap().map(Result::unwrap) {
                let bytes = |index| row.get_bytes(index).ok().map(|it| Bytes::copy_from_slice(it.data()));
                found.push((row.get_long(0).unwrap(), row.get_long(1).unwrap(), bytes(3), bytes(4)));
            }
        }
        let expected = stored(&world, partition).await.into_iter();
        let expected: Vec<_> = expected.map(|it| (it.offset.0, it.timestamp.0, it.key, it.value)).collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn ranges_filters_and_names_are_those_of_the_plan() {
    let (world, folder) = (World::with(20).await, TempDir::new().unwrap());
    let plan = "suffix = \"-old\"\nfilter = \"value != null\"\n[[topics]]\nsource = \"orders\"\npartitions = [{ number = 1, from_offset = 4, until_offset = 13 }]";
    let report = restored(&world, &asking(plan, &folder)).await;
    assert_eq!(report.outcome, Outcome::Done, "{report:?}");
    let wanted = stored(&world, 1).await.into_iter();
    let wanted = wanted.filter(|record| record.value.is_some() && (4..13).contains(&record.offset.0));
    assert_eq!(offsets(&folder, "orders-old", 1), wanted.map(|record| record.offset.0).collect::<Vec<_>>());
    assert_eq!(files(&folder, "orders-old", 0), [] as [std::path::PathBuf; 0]);
}

#[tokio::test]
async fn a_folder_holds_one_restore_and_nothing_of_others() {
    let (world, folder) = (World::with(10).await, TempDir::new().unwrap());
    let refused = async |input: &IntoFiles| {
        let report = restored(&world, input).await;
        assert_eq!(report.outcome, Outcome::Refused, "{report:?}");
        report.findings.iter().map(ToString::to_string).collect::<String>()
    };
    restored(&world, &asking(ORDERS, &folder)).await;
    let other = asking(&format!("filter = \"size > 3\"\n{ORDERS}"), &folder);
    assert!(refused(&other).await.contains("a restore of something else"));
    let parquet = IntoFiles { format: FileFormat::Parquet, ..asking(ORDERS, &folder) };
    assert!(refused(&parquet).await.contains("a restore of something else"));
    let filled = TempDir::new().unwrap();
    std::fs::write(filled.path().join("mine.txt"), "x").unwrap();
    assert!(refused(&asking(ORDERS, &filled)).await.contains("not empty"));
    let groups = asking(&format!("groups = [\"*\"]\nrehash = true\n{ORDERS}"), &TempDir::new().unwrap());
    assert!(refused(&groups).await.contains("groups, rehash"));
}

#[tokio::test]
async fn a_damaged_segment_has_no_file_and_stops_the_restore_or_is_listed_each_time() {
    let (world, folder) = (World::with(40).await, TempDir::new().unwrap());
    let key = world.damage_a_segment().await;
    let stopped = restored(&world, &asking(ORDERS, &folder)).await;
    assert_eq!(stopped.outcome, Outcome::Failed);
    assert!(stopped.topics[0].error.as_ref().unwrap().contains(&key), "{stopped:?}");
    for _ in 0..2 {
        let skipping = restored(&world, &asking(&format!("skip_damaged = true\n{ORDERS}"), &folder)).await;
        assert_eq!(skipping.outcome, Outcome::Done, "{skipping:?}");
        let missing = &skipping.topics[0].partitions[1].missing;
        assert!(missing.len() == 1 && missing[0].key == key, "{missing:?}");
        let (from, to) = (missing[0].from.0, missing[0].to.0);
        let expected: Vec<_> =
            stored_offsets(&world, 1).await.into_iter().filter(|it| !(from..to).contains(it)).collect();
        assert_eq!(offsets(&folder, "orders", 1), expected);
    }
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_a_folder_is_restored_into_by_one_at_a_time() {
    let (world, folder) = (World::with(10).await, TempDir::new().unwrap());
    let dry = IntoFiles { dry_run: true, ..asking(ORDERS, &folder) };
    let report = restored(&world, &dry).await;
    assert_eq!((report.outcome, report.topics[0].partitions[0].records_max), (Outcome::Planned, 10));
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    let _held = shared::adapters::files::lock(Path::new(folder.path())).unwrap().unwrap();
    let busy = into_files(&asking(ORDERS, &folder), world.objects.clone(), "other", &Meter::default()).await;
    assert!(matches!(busy, Err(crate::RestoreError::FolderBusy { .. })), "{busy:?}");
}
