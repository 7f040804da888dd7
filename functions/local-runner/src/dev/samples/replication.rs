//! Messages as Backbeat sends them about objects on their way to a location. Nothing is replicated here.
//!
//! Every fourth message queues a few operations, and the three behind it complete most of them: so backlog, completions and
//! throughput all move. None fails, since the console would rightly not call that safe.

use rand::{RngExt, rngs::StdRng};
use serde_json::json;
use shared::{ports::records::Message, record::Millis};

use super::{LOCATION, text};

const OPS_QUEUED: u64 = 6;
const OBJECT_BYTES: std::ops::Range<u64> = 10_000..5_000_000;

pub(super) fn message(number: u64, random: &mut StdRng, now: Millis) -> Message {
    let (kind, ops) = match number % 4 {
        0 => ("queued", OPS_QUEUED),
        1 => ("completed", 3),
        2 => ("completed", random.random_range(1..=2)),
        _ => ("completed", 1),
    };
    let bytes: u64 = (0..ops).map(|_| random.random_range(OBJECT_BYTES)).sum();
    let value =
        json!({ "timestamp": now, "ops": ops, "bytes": bytes, "extension": "crr", "type": kind, "site": LOCATION });
    Message { value: text(value.to_string()), ..Message::default() }
}
