//! Clicks: many, short, and without a key.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use shared::{ports::records::Message, record::Millis};

use super::text;

const PAGES: [&str; 6] = ["/", "/teapots", "/kettles", "/cups", "/basket", "/checkout"];

pub(super) fn message(_: u64, random: &mut StdRng, now: Millis) -> Message {
    let page = PAGES.choose(random).unwrap_or(&PAGES[0]);
    let visitor = random.random_range(0..5_000_u32);
    let spent_ms = random.random_range(20..9_000_u32);
    Message { value: text(format!("{now} visitor-{visitor:04} {page} {spent_ms}ms")), ..Message::default() }
}
