//! The one script, and how a batch becomes its arguments.

use std::sync::LazyLock;

use redis::{Script, ScriptInvocation};

use crate::ports::store::{Advance, Contribution, Operation, Register, Waiting};

/// The script `apply.lua`; Redis knows it by its digest.
static APPLY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("apply.lua")));

/// A call of the script that applies the batch.
pub(super) fn invocation(advances: &[Advance], operations: &[Operation]) -> ScriptInvocation<'static> {
    let mut call = APPLY.prepare_invoke();
    call.arg(advances.len());
    for advance in advances {
        let from = advance.from.map(|position| position.to_string());
        call.key(&advance.key).arg(from.unwrap_or_default()).arg(advance.to);
    }
    for operation in operations {
        push(&mut call, operation);
    }
    call
}

fn push(call: &mut ScriptInvocation<'static>, operation: &Operation) {
    match operation {
        Operation::Add { key, by, expires } => {
            let expires = expires.map(|at| at.0.to_string());
            call.key(key).arg("add").arg(by).arg(expires.unwrap_or_default());
        }
        Operation::Max { key, field, order, value } => {
            call.key(key).arg("max").arg(field).arg(order_text(order)).arg(value);
        }
        Operation::Replace { key, field, was_order, was_value, order, value } => {
            let text = |order: &[u64], value: &str| format!("{}|{value}", order_text(order));
            call.key(key).arg("replace").arg(field).arg(text(was_order, was_value)).arg(text(order, value));
        }
        Operation::Contribute { key, order, adds, keeps, waits, expires, only_known } => {
            let expires = expires.map(|at| at.0.to_string()).unwrap_or_default();
            call.key(key).arg("contribute").arg(order_text(order)).arg(contributions(adds)).arg(expires);
            call.arg(u8::from(*only_known)).arg(contributions(keeps)).arg(waiting(waits));
        }
        Operation::Remove { key, fields } => {
            call.key(key).arg("remove").arg(fields.len()).arg(fields);
        }
        Operation::RemoveUpTo { key, field, order } => {
            call.key(key).arg("removeupto").arg(field).arg(order_text(order));
        }
    }
}

/// What a thing adds, as the script keeps it: `[key, by, expires]` of each, numbers as texts, so that none is rounded.
fn contributions(adds: &[Contribution]) -> String {
    let text = |add: &Contribution| {
        let expires = add.expires.map(|at| at.0.to_string()).unwrap_or_default();
        [add.key.clone(), add.by.to_string(), expires]
    };
    serde_json::to_string(&adds.iter().map(text).collect::<Vec<_>>()).unwrap_or_default()
}

/// `[set, since]` of each; no time where the thing does not wait.
fn waiting(waits: &[Waiting]) -> String {
    let text = |it: &Waiting| [it.set.clone(), it.since.map(|at| at.0.to_string()).unwrap_or_default()];
    serde_json::to_string(&waits.iter().map(text).collect::<Vec<_>>()).unwrap_or_default()
}

/// An order as it stands in a hash field: its numbers padded to 20 digits, joined with `.`, so that orders of one
/// length compare as texts the way they do as numbers, and Lua's doubles never round one.
fn order_text(order: &[u64]) -> String {
    let numbers: Vec<String> = order.iter().map(|number| format!("{number:020}")).collect();
    numbers.join(".")
}

/// A register from a hash field, `<order>|<value>`. What has another form has an empty order.
pub(super) fn register(field: String, text: &str) -> Register {
    let parsed = text.split_once('|').and_then(|(order, value)| Some((parse_order(order)?, value)));
    let (order, value) = parsed.unwrap_or((Vec::new(), text));
    Register { field, order, value: value.to_owned() }
}

fn parse_order(text: &str) -> Option<Vec<u64>> {
    text.split('.').map(|number| number.parse().ok()).collect()
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

        #[test]
        fn a_register_reads_back_as_it_was_written(order in prop::collection::vec(any::<u64>(), 1..4), value in ".*") {
            let text = format!("{}|{value}", order_text(&order));
            prop_assert_eq!(register("f".into(), &text), Register { field: "f".into(), order, value });
        }
    }

    #[test]
    fn a_field_that_another_program_wrote_reads_as_a_register_without_order() {
        for text in ["", "hello", "a|b", "1..2|b", "|b"] {
            let expected = Register { field: "f".into(), order: Vec::new(), value: text.into() };
            assert_eq!(register("f".into(), text), expected);
        }
    }
}
