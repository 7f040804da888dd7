//! One answer of each command, with every field that it can have: a field that is new must be put here to compile. These are
//! the examples of docs/json.md.

mod restoring;
mod verified;

use std::collections::BTreeMap;

use backup_control::{Enabled, Status};
use bytes::Bytes;
use cluster_archiver::{AclOutcome, AclReport, ArchiveReport, GroupOutcome, GroupReport, TopicReport};
use object_replicator::{LocationReport, Reconciled, Replicated as Entries};
use segment_writer::{DrainReport, PartitionReport, Waiting, WriteError};
use serde::Serialize;
use serde_json::{Value, to_value};
use shared::{
    chain::{ChainDigest, ChainIdentity, Totals},
    record::{Header, Millis, Offset, Partition, Record, TimestampType, line::Line},
    segment::{Gap, GapCause, metadata::TimestampRange},
};

use crate::{
    commands::{
        accept_loss::{Loss, Losses},
        backup::{Backups, Done},
        config::{self, Checked, Reference},
        control::Controlled,
        doctor::{Examined, Finding, Outcome},
        groups::{Group, Groups},
        health::Health,
        metrics,
        replicate::Replicated,
        segments::{Segment, Segments},
        sql::Sql,
        topics::{Topic, Topics},
    },
    output::{Named, Report},
};

const NOW: Millis = Millis(1_795_866_000_000);
const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";
const TOPIC_ID: &str = "mYfFq2aUQG2vC4kS5aXo1A";

/// What each section of the page is about, by its heading.
pub(super) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("highwater backup", printed(&backup())),
        ("highwater restore", restoring::restore()),
        ("highwater restore --into-files", restoring::restore_files()),
        ("highwater drill", restoring::drill()),
        ("highwater schemas backup", restoring::schemas_backup()),
        ("highwater schemas restore", restoring::schemas_restore()),
        ("highwater schemas verify", restoring::schemas_verify()),
        ("highwater topics", printed(&topics())),
        ("highwater segments", printed(&segments())),
        ("highwater cat", cat()),
        ("highwater sql", printed(&sql())),
        ("highwater groups", printed(&groups())),
        ("highwater verify", verified::verify()),
        ("highwater pause", printed(&control())),
        ("highwater accept-loss", printed(&Losses { accepted: false, losses: vec![loss()] })),
        ("highwater replicate", printed(&replicate())),
        ("highwater doctor", printed(&doctor())),
        ("highwater health", printed(&health())),
        ("highwater config check", printed(&config_check())),
        ("highwater config reference", printed(&config_reference())),
        ("highwater metrics reference", printed(&metrics_reference())),
    ]
}

/// As `--json` prints it.
pub(super) fn printed<T: Report>(report: &T) -> Value {
    json(&Named::of(report))
}

fn json(value: &impl Serialize) -> Value {
    to_value(value).expect("an answer can be serialized")
}

fn chain() -> ChainIdentity {
    ChainIdentity {
        cluster_id: CLUSTER.into(),
        backup: "main".into(),
        topic: "orders".into(),
        topic_id: TOPIC_ID.into(),
        incarnation: 1,
        partition: Partition(0),
    }
}

fn totals() -> Totals {
    Totals {
        records: 149_999,
        record_bytes: 15_309_800,
        filtered: 12,
        filter_errors: 1,
        segments: 5,
        stored_bytes: 4_100_233,
        gaps: 1,
        gap_offsets: 20,
    }
}

fn gap() -> Gap {
    Gap { from: Offset(100), to: Offset(120), cause: GapCause::BelowLogStart, declared_at: NOW }
}

fn timestamps() -> TimestampRange {
    TimestampRange { min: Millis(NOW.0 - 3_600_000), max: NOW }
}

fn loss() -> Loss {
    Loss {
        topic: "orders".into(),
        partition: Partition(3),
        backup: "main".into(),
        incarnation: 1,
        frontier: Offset(120),
        witness: Offset(180),
        log_start: Offset(150),
        fetched_again: 30,
        lost: 30,
    }
}

fn backup() -> Backups {
    let failed = |topic: &str| WriteError::TopicChanged { topic: topic.to_owned() };
    let partition = PartitionReport {
        topic: "orders".into(),
        partition: 0,
        records: 149_999,
        segments: 5,
        next: Offset(149_999),
        position: Offset(149_999),
        paused: true,
        waiting: Some(Waiting { from: Offset(149_999), to: Offset(150_010) }),
        error: Some(failed("orders")),
    };
    let report = DrainReport { partitions: vec![partition], missing_topics: vec!["payments".into()] };
    let done = Done { backup: "main".into(), error: Some(failed("orders")), accepted_losses: vec![loss()], report };
    Backups { backups: vec![done], beside: beside(), beside_error: Some("kafka does not answer".into()) }
}

fn beside() -> ArchiveReport {
    let (backup, error) = ("main".to_owned(), Some("the storage does not answer".to_owned()));
    let topic = TopicReport { backup: backup.clone(), topic: "orders".into(), is_new: true, error: error.clone() };
    let group = GroupReport {
        backup: backup.clone(),
        group: "billing".into(),
        outcome: GroupOutcome::Failed,
        partitions: 2,
        error: error.clone(),
    };
    let acls = AclReport { backup, outcome: AclOutcome::Failed, error };
    ArchiveReport { topics: vec![topic], groups: vec![group], acls: vec![acls] }
}

fn topics() -> Topics {
    let topic = Topic {
        backup: "main".into(),
        topic: "orders".into(),
        incarnation: 1,
        topic_id: TOPIC_ID.into(),
        claimed_at: NOW,
        partitions: 2,
        paused_since: Some(NOW),
        present: totals(),
    };
    Topics { topics: vec![topic] }
}

fn segments() -> Segments {
    let segment = Segment {
        key: "main/orders/1/0/00000000000000000000.kan".into(),
        backup: "main".into(),
        topic: "orders".into(),
        incarnation: 1,
        partition: Partition(0),
        base: Offset(0),
        next: Offset(30_000),
        records: 29_980,
        record_bytes: 3_061_940,
        filtered: 0,
        filter_errors: 0,
        stored_bytes: 820_046,
        timestamps: Some(timestamps()),
        written_at: NOW,
        gaps: vec![gap()],
        digest: ChainDigest::start(&chain()),
    };
    let hole = "main/orders/1/0/ has a hole: no segment holds the offsets from 30000 to before 60000";
    Segments { segments: vec![segment], holes: vec![hole.into()] }
}

fn cat() -> Value {
    let header = Header { name: Bytes::from_static(b"kind"), value: Some(Bytes::from_static(b"order")) };
    let record = Record {
        offset: Offset(7),
        timestamp: NOW,
        timestamp_type: TimestampType::CreateTime,
        key: Some(Bytes::from_static(b"order-7")),
        value: Some(Bytes::from_static(b"{\"amount\":12}")),
        headers: vec![header],
    };
    json(&Line::of("orders", 1, Partition(0), &record))
}

fn sql() -> Sql {
    Sql {
        backup: "main".into(),
        topic: "orders".into(),
        incarnation: 1,
        files: vec!["s3://my-bucket/backups/main/orders/1/0/00000000000000000000.kan".into()],
        sql: "-- topic orders, incarnation 1, 1 segments\nSELECT ...\n".into(),
    }
}

fn groups() -> Groups {
    let group = Group {
        backup: "main".into(),
        group: "billing".into(),
        snapshots: 3,
        first_at: Some(Millis(NOW.0 - 86_400_000)),
        last_at: Some(NOW),
        partitions: 2,
    };
    Groups { groups: vec![group] }
}

fn control() -> Controlled {
    let paused = Enabled::Paused { since: NOW };
    let status = Status { backup: paused, topics: BTreeMap::from([("orders".into(), paused)]) };
    Controlled { backup: "main".into(), status }
}

fn replicate() -> Replicated {
    let location = LocationReport {
        location: "paris".into(),
        replicated: Some(Entries { completed: 4, failed: 0 }),
        reconciled: Some(Reconciled { segments: 10, missing: 4, asked: 4 }),
    };
    Replicated { locations: vec![location] }
}

fn doctor() -> Examined {
    let finding = Finding {
        what: "redis eviction",
        outcome: Outcome::Warning,
        detail: "maxmemory-policy is allkeys-lru: figures may be thrown away, and are counted again then".into(),
        remedy: Some("set maxmemory-policy to noeviction".into()),
    };
    Examined { version: "0.1.0", findings: vec![finding] }
}

fn health() -> Health {
    Health { healthy: false, address: "127.0.0.1:9000".into(), problem: Some("it answers 503".into()) }
}

fn config_check() -> Checked {
    let problem = "kafka.bootstrap_server: unknown setting: did you mean kafka.bootstrap_servers?";
    Checked { valid: false, settings: None, warnings: vec![], problems: vec![problem.into()] }
}

/// One setting of the real answer, which has all of them.
fn config_reference() -> Reference {
    let mut all = config::reference();
    all.settings.retain(|setting| setting.setting == "kafka.session_timeout");
    all
}

fn metrics_reference() -> metrics::Reference {
    let mut all = metrics::reference();
    all.metrics.truncate(1);
    all
}
