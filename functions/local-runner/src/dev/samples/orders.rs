//! Orders: the current state of each, keyed by its number, so that a compacted topic would hold one message an order.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use shared::{ports::records::Message, record::Millis};

use super::{header, text};

const STATES: [&str; 4] = ["created", "paid", "packed", "shipped"];
const GOODS: [(&str, u32); 6] =
    [("teapot", 2_450), ("kettle", 3_990), ("cup", 790), ("saucer", 490), ("tin of tea", 1_250), ("strainer", 350)];
const STREETS: [&str; 4] = ["Quayside", "Harbour Lane", "Tide Street", "Lock Road"];
/// An order has its states in so many messages.
const MESSAGES_PER_ORDER: u64 = 5;
/// One order in so many is cancelled: its last message is a tombstone.
const CANCELLED_EVERY: u64 = 8;

pub(super) fn message(number: u64, random: &mut StdRng, now: Millis) -> Message {
    let (order, step) = (number / MESSAGES_PER_ORDER, number % MESSAGES_PER_ORDER);
    let key = text(name(order));
    let headers = vec![
        header("content-type", text("application/json")),
        header("trace", text(format!("{:016x}", random.random::<u64>()))),
    ];
    let cancelled = order.is_multiple_of(CANCELLED_EVERY) && step == MESSAGES_PER_ORDER - 1;
    if cancelled {
        return Message { key, value: None, headers, ..Message::default() };
    }
    let state = STATES[usize::try_from(step).unwrap_or(0).min(STATES.len() - 1)];
    let value = json!({
        "order": name(order),
        "state": state,
        "at": now,
        "customer": {
            "id": format!("customer-{:05}", random.random_range(0..20_000)),
            "address": format!("{} {}", random.random_range(1..200), STREETS.choose(random).unwrap_or(&STREETS[0])),
        },
        "lines": (0..random.random_range(6..14)).map(|_| line(random)).collect::<Vec<_>>(),
        "note": "sample data, made up by highwater dev",
    });
    Message { key, value: text(value.to_string()), headers, ..Message::default() }
}

pub(super) fn name(order: u64) -> String {
    format!("order-{order:08}")
}

fn line(random: &mut StdRng) -> serde_json::Value {
    let (good, price_cents) = GOODS.choose(random).unwrap_or(&GOODS[0]);
    let count = random.random_range(1..4_u32);
    json!({ "good": good, "sku": format!("{:012x}", random.random::<u32>()), "count": count, "price_cents": price_cents * count, "gift": random.random_bool(0.1) })
}
