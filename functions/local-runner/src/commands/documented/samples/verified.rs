//! What `highwater verify` answers.

use backup_verifier::{Checked, NotCompared, Repair, Verified, Witness};
use serde_json::Value;
use shared::{
    chain::{
        ChainDigest,
        verify::{ChainReport, Finding, FindingKind, seals::Seals},
    },
    record::Offset,
    segment::ChainPoint,
};

use super::{NOW, chain, gap, printed, timestamps, totals};
use crate::commands::verify::Told;

fn finding(kind: FindingKind, detail: &str) -> Finding {
    Finding {
        kind,
        key: "main/orders/1/0/".into(),
        from: Some(Offset(30_000)),
        to: Some(Offset(60_000)),
        detail: detail.into(),
    }
}

fn checked_chain() -> ChainReport {
    ChainReport {
        chain: chain(),
        start: Offset(0),
        next: Offset(149_999),
        point: ChainPoint { totals: totals(), digest: ChainDigest::start(&chain()) },
        present: totals(),
        expired_segments: 0,
        timestamps: Some(timestamps()),
        written_at: Some(NOW),
        gaps: vec![gap()],
        seals: Seals { valid: 4, covered: 1, older_than_the_key: 0, unchecked: 0 },
        findings: vec![finding(FindingKind::MissingRange, "no segment holds these offsets")],
        notes: vec![finding(FindingKind::Superseded, "its writer did not know of an accepted loss")],
    }
}

pub(super) fn verify() -> Value {
    let repair = Repair {
        hash: "hw1:heads:main".into(),
        field: "orders/1/0".into(),
        what: "behind the storage".into(),
        left_because: Some("a writer is at work".into()),
    };
    let checked = Checked {
        backup: "main".into(),
        bytes_read: 4_100_233,
        sealed: true,
        repairs: vec![repair],
        chains: vec![checked_chain()],
        findings: vec![finding(FindingKind::MissingTail, "kafka's group has committed more than the storage holds")],
    };
    let verified = Verified {
        good: false,
        compared_with_kafka: true,
        compared_with_metrics: false,
        not_compared: vec![NotCompared {
            witness: Witness::Redis,
            because: "check: redis at redis://localhost:6379 does not answer: connection refused".into(),
        }],
        deep: true,
        seconds: 1.5,
        backups: vec![checked],
    };
    printed(&Told { verified: &verified, location: Some("paris") })
}
