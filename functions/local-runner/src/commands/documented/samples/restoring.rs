//! What restores, drills and schemas answer.

use std::collections::BTreeMap;

use schema_archiver::{
    BackupReport, RestoreOutcome, RestoreReport as Registered, SchemaReport, SnapshotReport, VerifyReport,
};
use segment_restorer::{
    DrillReport, FilesReport, GroupOutcome, GroupReport, Outcome, PartitionDrill, PartitionFiles, PartitionReport,
    RestoreReport, TopicDrill, TopicFiles, TopicReport,
};
use serde_json::Value;
use shared::{
    record::{Offset, Partition, TopicPartition},
    restore::{
        Finding, Missing, Severity,
        preflight::Kind,
        progress::{Counts, IdCounts},
        translation::Exactness,
    },
    schemas,
};

use super::{NOW, printed};
use crate::commands::{drill::Drilled, restore::Restored, restore_files::Written, schemas::Told};

fn finding() -> Finding {
    Finding {
        severity: Severity::Note,
        kind: Kind::Gap,
        topic: Some("orders".into()),
        partition: Some(Partition(0)),
        message: "the backup never had the offsets 100 to 120".into(),
    }
}

fn missing() -> Missing {
    Missing {
        from: Offset(30_000),
        to: Offset(60_000),
        key: "main/orders/1/0/00000000000000030000.kan".into(),
        why: "it is not what was written".into(),
    }
}

fn counts() -> Counts {
    Counts {
        records: 119_999,
        record_bytes: 12_247_840,
        filtered: 0,
        filter_errors: 0,
        schema_ids: IdCounts { rewritten: 119_990, without: 9, kept: 0, dropped: 0 },
    }
}

pub(super) fn restore() -> Value {
    let partition = PartitionReport {
        partition: Partition(0),
        next: Offset(149_999),
        end: Offset(149_999),
        counts: counts(),
        missing: vec![missing()],
        records_max: 149_999,
        record_bytes_max: 15_309_800,
    };
    let topic = TopicReport {
        source: "orders".into(),
        incarnation: 1,
        target: "orders-copy".into(),
        outcome: Outcome::Failed,
        error: Some("the target cluster does not answer".into()),
        partitions: vec![partition],
    };
    let group = GroupReport {
        group: "billing".into(),
        source: "orders".into(),
        source_offset: Some(Offset(149_000)),
        target: TopicPartition::new("orders-copy", 0),
        offset: Some(Offset(119_000)),
        exactness: Some(Exactness::Exact),
        outcome: GroupOutcome::Failed,
        error: Some("the group has members: stop them first".into()),
    };
    printed(&Restored(&RestoreReport {
        backup: "main".into(),
        outcome: Outcome::Failed,
        findings: vec![finding()],
        topics: vec![topic],
        groups: vec![group],
    }))
}

pub(super) fn restore_files() -> Value {
    let partition = PartitionFiles {
        partition: Partition(0),
        files_written: 4,
        files_there: 0,
        counts: counts(),
        missing: vec![missing()],
        records_max: 149_999,
    };
    let topic = TopicFiles {
        source: "orders".into(),
        incarnation: 1,
        folder: "orders".into(),
        error: Some("out/orders/0/00000000000000090000.jsonl: no space left on device".into()),
        partitions: vec![partition],
    };
    printed(&Written(&FilesReport {
        backup: "main".into(),
        outcome: Outcome::Failed,
        findings: vec![finding()],
        topics: vec![topic],
    }))
}

pub(super) fn drill() -> Value {
    let partition = PartitionDrill {
        partition: Partition(0),
        from: Offset(0),
        to: Offset(149_999),
        segments: 5,
        segments_total: 5,
        records: 149_999,
        record_bytes: 15_309_800,
        difference: Some("the value at offset 7 is another one".into()),
    };
    let topic = TopicDrill {
        topic: "orders".into(),
        incarnation: 1,
        good: false,
        error: Some("partition 0: the value at offset 7 is another one".into()),
        findings: vec![finding()],
        partitions_total: 2,
        partitions: vec![partition],
    };
    printed(&Drilled(&DrillReport {
        backup: "main".into(),
        good: false,
        sample: true,
        seconds: 4.1,
        topics_total: 1,
        topics: vec![topic],
        leftovers_removed: vec!["highwater-drill.main.1795865000000-1".into()],
        left_behind: vec!["highwater-drill.main.1795866000000-1: topic deletion is not allowed".into()],
    }))
}

pub(super) fn schemas_backup() -> Value {
    printed(&Told(&SchemaReport::Backup(BackupReport {
        registry: "default".into(),
        taken_at: NOW,
        subjects: 12,
        versions: 40,
        written: 3,
        changed: true,
    })))
}

pub(super) fn schemas_restore() -> Value {
    let message = "version 1 is another schema there: restore with --map-ids, or into an empty subject";
    let finding = schemas::Finding { subject: Some("orders-value".into()), message: message.into() };
    printed(&Told(&SchemaReport::Restore(Registered {
        outcome: RestoreOutcome::Refused,
        taken_at: NOW,
        findings: vec![finding],
        notes: vec!["the registry knows no modes".into()],
        registered: 0,
        there: 12,
        ids: Some(BTreeMap::from([(7, 107)])),
    })))
}

pub(super) fn schemas_verify() -> Value {
    let snapshot = SnapshotReport { taken_at: NOW, subjects: 12, versions: 40 };
    let finding = "main/=schemas/default/versions/5c1f.json is missing";
    printed(&Told(&SchemaReport::Verify(VerifyReport {
        registry: "default".into(),
        snapshots: vec![snapshot],
        findings: vec![finding.into()],
    })))
}
