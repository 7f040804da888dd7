//! Payments of the orders: small, and each with a header that is null for payments by invoice.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;
use shared::{ports::records::Message, record::Millis};

use super::{header, orders, text};

const METHODS: [&str; 3] = ["card", "transfer", "invoice"];
const CURRENCIES: [&str; 3] = ["EUR", "USD", "GBP"];

pub(super) fn message(number: u64, random: &mut StdRng, now: Millis) -> Message {
    let method = METHODS.choose(random).unwrap_or(&METHODS[0]);
    let order = orders::name(number);
    let value = json!({
        "order": order,
        "at": now,
        "amount_cents": random.random_range(500..25_000),
        "currency": CURRENCIES.choose(random).unwrap_or(&CURRENCIES[0]),
        "method": method,
    });
    let authorised = (*method != "invoice").then(|| format!("{:08x}", random.random::<u32>()).into());
    Message {
        key: text(order),
        value: text(value.to_string()),
        headers: vec![header("authorisation", authorised)],
        ..Message::default()
    }
}
