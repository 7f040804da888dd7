//! Orders and times as they stand in Redis.

use crate::record::Millis;

/// An order as it stands in a hash field: its numbers padded to 20 digits, joined with `.`, so that orders of one
/// length compare as texts the way they do as numbers, and Lua's doubles never round one.
pub(super) fn order_text(order: &[u64]) -> String {
    let numbers: Vec<String> = order.iter().map(|number| format!("{number:020}")).collect();
    numbers.join(".")
}

/// The order of such a text.
pub(super) fn parse_order(text: &str) -> Option<Vec<u64>> {
    text.split('.').map(|number| number.parse().ok()).collect()
}

/// A time as an argument.
pub(super) fn time(at: Option<Millis>) -> String {
    at.map(|at| at.0.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn orders_of_one_length_compare_as_texts_the_way_they_do_as_numbers(
            a in prop::collection::vec(any::<u64>(), 3), b in prop::collection::vec(any::<u64>(), 3)
        ) {
            prop_assert_eq!(order_text(&a).cmp(&order_text(&b)), a.cmp(&b));
        }
    }
}
