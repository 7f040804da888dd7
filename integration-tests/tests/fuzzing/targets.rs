//! What reads bytes that somebody else wrote, and the corpus of each.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use serde_json::Value;
use shared::{
    adapters::memory::{clock::ManualClock, objects::MemoryObjects},
    archive::{
        self, Claim, GroupOffset, Owner, TopicSnapshot,
        pins::in_force,
        reading::walk::{Depth, Reader, walk},
    },
    chain::{ChainIdentity, keys},
    metrics::{
        backbeat::{
            keys::Windows,
            route::{Request, route},
        },
        fold::fold,
        part::Place,
    },
    ports::objects::{Objects as _, PutCondition},
    record::{Millis, Offset, Partition, Record, TimestampType, kafka_event::KafkaEvent},
    replication::{self, Entry},
    segment::{decoder::SegmentReader, footer, metadata::FORMAT_VERSION},
    web::HttpEvent,
};

/// Something that reads bytes.
pub struct Target {
    /// Its name: that of its folder in `corpus` too, where it has one.
    pub name: &'static str,
    /// More folders of real inputs, from the root of the project.
    pub folders: &'static [&'static str],
    /// So many inputs are read for one seed of other tests: 100 of all targets, the more the faster one is.
    pub inputs_per_seed: u64,
    /// Reads an input.
    pub read: fn(&[u8]),
}

pub const KAFKA_EVENTS: Target =
    Target { name: "kafka-events", folders: &["shared/src/record/fixtures"], inputs_per_seed: 25, read: kafka_event };
pub const SEGMENTS: Target =
    Target { name: "segments", folders: &["shared/src/segment/fixtures"], inputs_per_seed: 12, read: segment };
pub const METRICS_MESSAGES: Target =
    Target { name: "metrics-messages", folders: &["shared/fixtures/metrics"], inputs_per_seed: 30, read: message };
pub const HTTP_REQUESTS: Target = Target { name: "http-requests", folders: &[], inputs_per_seed: 30, read: request };
pub const CONTROL_OBJECTS: Target =
    Target { name: "control-objects", folders: &[], inputs_per_seed: 3, read: control_object };

const NOW: Millis = Millis(1_800_000_000_000);

impl Target {
    /// Its inputs, each with its name, in the order of these.
    pub fn corpus(&self) -> Vec<(String, Vec<u8>)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the project");
        let own = root.join("integration-tests/corpus").join(self.name);
        let folders = self.folders.iter().map(|folder| root.join(folder)).chain([own]);
        let entries = folders.filter_map(|folder| folder.read_dir().ok()).flatten();
        let read = |path: std::path::PathBuf| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some((name, std::fs::read(&path).ok()?))
        };
        let mut corpus: Vec<_> = entries.filter_map(|entry| read(entry.ok()?.path())).collect();
        corpus.sort();
        assert!(!corpus.is_empty(), "{} has no corpus", self.name);
        corpus
    }
}

fn kafka_event(input: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
    if let Ok(event) = KafkaEvent::parse(&value) {
        for batch in &event.batches {
            let (_, _) = (batch.offsets(), batch.is_whole());
        }
    }
    let _ = metrics_consumer::Input::parse(&value);
    let _ = segment_writer::Input::try_from(value);
}

/// As it is, and with a footer checksum that is right, so that what is behind it is read too.
fn segment(input: &[u8]) {
    read_segment(Bytes::copy_from_slice(input));
    let mut checked = input.to_vec();
    if let Some(start) = footer_start(input)
        && let Some(checksum_at) = start.checked_sub(4)
    {
        footer::write_checksum(&mut checked, checksum_at as u64);
        read_segment(Bytes::from(checked));
    }
}

fn footer_start(file: &[u8]) -> Option<usize> {
    let end = file.len().checked_sub(8)?;
    let length = u32::from_le_bytes(file[end..end + 4].try_into().ok()?);
    end.checked_sub(usize::try_from(length).ok()?)
}

fn read_segment(file: Bytes) {
    let size_bytes = file.len() as u64;
    let _ = footer::read(&file, size_bytes);
    if let Ok(reader) = SegmentReader::open(file) {
        reader.row_groups().for_each(drop);
    }
}

fn message(input: &[u8]) {
    let record = Record {
        offset: Offset(7),
        timestamp: NOW,
        timestamp_type: TimestampType::CreateTime,
        key: Some(Bytes::copy_from_slice(&input[..input.len().min(8)])),
        value: Some(Bytes::copy_from_slice(input)),
        headers: vec![],
    };
    let place = Place { topic_id: "metrics".into(), partition: Partition(0) };
    let again = Record { offset: Offset(8), ..record.clone() };
    let _ = fold(&place, None, &[record, again], Windows::default());
    if let Ok(entry) = Entry::decode(Some(input)) {
        let (_, _) = (entry.asks("bucket/prefix", "site1"), entry.order());
    }
}

/// A request's line (method, blank, target) and its body, or an event that brings one.
fn request(input: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<HttpEvent>(input) {
        ask(&event.request.method, &event.request.target, &event.request.body);
    }
    let (line, body) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len()));
    let line = String::from_utf8_lossy(line);
    let (method, target) = line.split_once(' ').unwrap_or(("GET", &line));
    ask(method, target, body);
}

fn ask(method: &str, target: &str, body: &[u8]) {
    let _ = route(Request { method, target, body }, &["site1".to_owned(), "a/b".to_owned()]);
}

/// In the place of every control object, each read and changed by those who do.
fn control_object(input: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime on this thread");
    runtime.block_on(async {
        let body = Bytes::copy_from_slice(input);
        read_controls(body.clone()).await;
        read_chain(body).await;
    });
}

fn chain() -> ChainIdentity {
    ChainIdentity {
        cluster_id: "kafka-1".into(),
        backup: "main".into(),
        topic: "orders".into(),
        topic_id: "lZ2hmFAmSf2a1xQxRnJhNw".into(),
        incarnation: 1,
        partition: Partition(0),
    }
}

fn storage() -> MemoryObjects {
    MemoryObjects::new(Arc::new(ManualClock::at(NOW)))
}

async fn put(objects: &MemoryObjects, key: &str, body: Bytes) {
    objects.put(key, body, PutCondition::IfAbsent).await.expect("the memory takes it");
}

async fn read_controls(body: Bytes) {
    let (objects, chain) = (storage(), chain());
    let (backup, id) = ("main", &chain.topic_id);
    let snapshot = format!("{:020}.json", NOW.0);
    let status = format!("{}f00d.json", replication::keys::status_folder("site1"));
    for key in [
        keys::owner(backup),
        keys::incarnation(backup, "orders", 1),
        keys::pin(backup, "restore"),
        keys::pause(backup, None),
        keys::pause(backup, Some("orders")),
        format!("{}shop/{snapshot}", keys::groups_folder(backup)),
        format!("{}orders/{id}/{snapshot}", keys::topics_folder(backup)),
        replication::keys::pause("site1"),
        replication::keys::compared("site1"),
        status,
    ] {
        put(&objects, &key, body.clone()).await;
    }
    let _ = archive::claim_owner(&objects, backup, "kafka-1").await;
    let _ = archive::incarnation_of(&objects, backup, "orders", id, NOW).await;
    let _ = in_force(&objects, backup, NOW).await;
    let _ = archive::read_pauses(&objects, backup).await;
    let offset = GroupOffset {
        topic: "orders".into(),
        topic_id: id.clone(),
        partition: Partition(0),
        offset: Offset(5),
        seen_at: NOW,
    };
    let _ = archive::store_group(&objects, backup, "shop", NOW, vec![offset]).await;
    let topic = TopicSnapshot::new("orders".into(), id.clone(), NOW, 3, Default::default());
    let _ = archive::store_topic(&objects, backup, topic).await;
    let _ = archive::pause_location(&objects, "site1", NOW).await;
    let _ = archive::schedule_resume(&objects, "site1", Some(NOW), NOW).await;
    let _ = archive::compared_at(&objects, "site1").await;
    let _ = archive::changed_since(&objects, "site1", Millis(0), "").await;
}

/// In the place of a chain's floor and of its accepted losses, beside a segment.
async fn read_chain(body: Bytes) {
    let (objects, chain) = (storage(), chain());
    let claim =
        Claim { format_version: FORMAT_VERSION, incarnation: 1, topic_id: chain.topic_id.clone(), claimed_at: NOW };
    let claim = serde_json::to_vec(&claim).expect("a claim is JSON");
    put(&objects, &keys::incarnation("main", "orders", 1), claim.into()).await;
    put(
        &objects,
        &keys::segment(&chain, Offset(0)),
        include_bytes!("../../../shared/src/segment/fixtures/v2.kan")[..].into(),
    )
    .await;
    put(&objects, &keys::floor(&chain), body.clone()).await;
    put(&objects, &keys::accepted_loss(&chain), body).await;
    let _ = archive::chain_end(&objects, &chain, None).await;
    if let Ok(known) = archive::read_accepted_losses(&objects, &chain).await {
        let (_, _, _) = (known.steps(), known.ranges(), known.cover(Offset(5), Offset(9)));
        let _ = archive::decide_losses(&objects, &chain, known, None).await;
    }
    let owner = Owner { format_version: FORMAT_VERSION, backup: "main".into(), cluster_id: "kafka-1".into() };
    let _ = walk(&owner, &Reader::new(&objects, Depth::Records, |_| {})).await;
}
