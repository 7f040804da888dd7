//! The one script, and how a batch becomes its arguments.

use std::{collections::BTreeMap, sync::LazyLock};

use redis::{Script, ScriptInvocation};

use super::{
    texts::{order_text, parse_order, time},
    things::Changes,
};
use crate::{
    ports::store::{Advance, Operation, Register},
    record::Millis,
};

/// The script `apply.lua`; Redis knows it by its digest.
static APPLY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("apply.lua")));

/// A call of the script that applies the batch: `changes` are those of the operations that speak of things.
pub(super) fn invocation(
    advances: &[Advance],
    operations: &[Operation],
    changes: &Changes<'_>,
) -> ScriptInvocation<'static> {
    let mut call = APPLY.prepare_invoke();
    call.arg(advances.len());
    for advance in advances {
        let from = advance.from.map(|position| position.to_string());
        call.key(&advance.key).arg(from.unwrap_or_default()).arg(advance.to);
    }
    call.arg(changes.things.len());
    for thing in &changes.things {
        call.key(thing.key).arg(thing.was).arg(&thing.is).arg(time(thing.expires));
    }
    for operation in operations {
        push(&mut call, operation);
    }
    for add in &changes.adds {
        call.key(&*add.key).arg("add").arg(add.by).arg(time(add.expires));
    }
    for (set, things) in &changes.waits {
        push_waits(&mut call, set, things);
    }
    call
}

fn push(call: &mut ScriptInvocation<'static>, operation: &Operation) {
    match operation {
        // What becomes of these is in the changes.
        Operation::Contribute { .. } => {}
        Operation::Add { key, by, expires } => {
            call.key(key).arg("add").arg(by).arg(time(*expires));
        }
        Operation::Max { key, field, order, value } => {
            call.key(key).arg("max").arg(field).arg(order_text(order)).arg(value);
        }
        Operation::Replace { key, field, was_order, was_value, order, value } => {
            let text = |order: &[u64], value: &str| format!("{}|{value}", order_text(order));
            call.key(key).arg("replace").arg(field).arg(text(was_order, was_value)).arg(text(order, value));
        }
        Operation::Remove { key, fields } => {
            call.key(key).arg("remove").arg(fields.len()).arg(fields);
        }
        Operation::Forget { key } => {
            call.key(key).arg("forget");
        }
        Operation::RemoveUpTo { key, field, order } => {
            call.key(key).arg("removeupto").arg(field).arg(order_text(order));
        }
    }
}

/// Who waits in a set from now on, and who does not.
fn push_waits(call: &mut ScriptInvocation<'static>, set: &str, things: &BTreeMap<&str, Option<Millis>>) {
    let waiting: Vec<_> = things.iter().filter_map(|(thing, since)| Some((since.as_ref()?.0, thing))).collect();
    if !waiting.is_empty() {
        call.key(set).arg("wait").arg(2 * waiting.len());
        for (since, thing) in waiting {
            call.arg(since).arg(*thing);
        }
    }
    let others: Vec<&str> = things.iter().filter(|(_, since)| since.is_none()).map(|(thing, _)| *thing).collect();
    if !others.is_empty() {
        call.key(set).arg("waitnot").arg(others.len()).arg(others);
    }
}

/// A register from a hash field, `<order>|<value>`. What has another form has an empty order.
pub(super) fn register(field: String, text: &str) -> Register {
    let parsed = text.split_once('|').and_then(|(order, value)| Some((parse_order(order)?, value)));
    let (order, value) = parsed.unwrap_or((Vec::new(), text));
    Register { field, order, value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
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
