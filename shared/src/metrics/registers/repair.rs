//! Registers against the storage, one by one: what is wrong with them, and what puts it right.
//!
//! The storage is the truth, with one exception (C5): a head beyond it may be the last word about a tail that is missing.
//! The writer asks Kafka's group then, and so does this: where the group committed no more than there is, nothing is
//! missing and the head is wrong; otherwise it is left until the loss is accepted. A head that stands where the storage
//! ends and has another digest may be the only witness that the last segment was replaced: it is left, too, unless a key
//! vouches for that segment.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    RegisterKind, operations,
    values::{FloorValue, HeadValue, IncarnationValue},
};
use crate::{
    metrics::standing::{Message, Standing},
    ports::store::{Operation, Register},
    record::Offset,
};

/// The registers of a backup that the storage tells, as they are held.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// With the hash of each.
    pub registers: Vec<(RegisterKind, Vec<Register>)>,
}

/// What the storage says of a chain, read after the registers, and who vouches for it.
#[derive(Debug, Clone)]
pub struct Truth {
    /// What it says.
    pub standing: Standing,
    /// What Kafka's group committed, read after the registers; `None` where nobody can tell.
    pub committed: Option<Offset>,
    /// Whether a key vouches for the last segment.
    pub sealed: bool,
}

/// A register that is not what the storage says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its hash.
    pub kind: RegisterKind,
    /// Its field.
    pub field: String,
    /// What is wrong with it.
    pub what: &'static str,
    /// What puts it right, or why it is left.
    pub remedy: Result<Operation, String>,
}

impl Held {
    /// The hashes that are needed.
    pub const KINDS: [RegisterKind; 3] = [RegisterKind::Heads, RegisterKind::Floors, RegisterKind::Incarnations];

    fn find(&self, kind: RegisterKind, field: &str) -> Option<&Register> {
        let (_, hash) = self.registers.iter().find(|(of, _)| *of == kind)?;
        hash.iter().find(|register| register.field == field)
    }
}

/// Compares the registers of one chain.
#[must_use]
pub fn differences(held: &Held, truth: &Truth) -> Vec<Difference> {
    let wanted = operations(&Message::Standing(truth.standing.clone()));
    let of_chain = Held::KINDS.into_iter().filter_map(|kind| {
        let key = kind.key(&truth.standing.backup);
        let operation = wanted.iter().find(|it| matches!(it, Operation::Max { key: of, .. } if *of == key))?;
        difference(held, kind, operation, truth)
    });
    of_chain.collect()
}

fn difference(held: &Held, kind: RegisterKind, wanted: &Operation, truth: &Truth) -> Option<Difference> {
    let Operation::Max { key, field, order, value } = wanted else { return None };
    let found = |what, remedy| Some(Difference { kind, field: field.clone(), what, remedy });
    let Some(register) = held.find(kind, field) else { return found("missing", Ok(wanted.clone())) };
    let replace = || Operation::Replace {
        key: key.clone(),
        field: field.clone(),
        was_order: register.order.clone(),
        was_value: register.value.clone(),
        order: order.clone(),
        value: value.clone(),
    };
    if register.order.len() != order.len() {
        return found("unreadable", Ok(replace()));
    }
    match register.order.cmp(order) {
        std::cmp::Ordering::Less => found("behind", Ok(wanted.clone())),
        std::cmp::Ordering::Equal if is_same(kind, &register.value, value) => None,
        std::cmp::Ordering::Equal => found("wrong", may_be_replaced(kind, &register.value, truth).map(|()| replace())),
        std::cmp::Ordering::Greater => found("ahead", may_be_lowered(kind, register, truth).map(|()| replace())),
    }
}

fn is_same(kind: RegisterKind, held: &str, wanted: &str) -> bool {
    match kind {
        RegisterKind::Heads => reads_as::<HeadValue>(held) == reads_as::<HeadValue>(wanted),
        RegisterKind::Floors => reads_as::<FloorValue>(held) == reads_as::<FloorValue>(wanted),
        _ => reads_as::<IncarnationValue>(held) == reads_as::<IncarnationValue>(wanted),
    }
}

/// A value as it is understood, whatever its spelling; none where it cannot be.
fn reads_as<T: DeserializeOwned + Serialize>(value: &str) -> Option<serde_json::Value> {
    serde_json::to_value(serde_json::from_str::<T>(value).ok()?).ok()
}

fn may_be_replaced(kind: RegisterKind, held: &str, truth: &Truth) -> Result<(), String> {
    let head = (kind == RegisterKind::Heads).then(|| serde_json::from_str::<HeadValue>(held).ok()).flatten();
    match head {
        Some(head) if head.digest != truth.standing.digest && !truth.sealed => Err(
            "it has another digest than the last segment, which may have been replaced: where the storage is right, \
             remove this field from redis and run --repair again"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

fn may_be_lowered(kind: RegisterKind, register: &Register, truth: &Truth) -> Result<(), String> {
    let next = register.order.last().copied().unwrap_or_default();
    if kind != RegisterKind::Heads || u64::try_from(truth.standing.next.0).is_ok_and(|stored| next <= stored) {
        return Ok(());
    }
    match truth.committed {
        Some(committed) if committed <= truth.standing.next => Ok(()),
        Some(committed) => Err(format!(
            "kafka's group committed {committed}, so the tail of the backup is missing: bring it back, or run `highwater \
             accept-loss`"
        )),
        None => Err("it may tell of a missing tail, and kafka's group says nothing of this topic".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chain::{ChainDigest, ChainIdentity, Marks, Totals},
        record::{Millis, Partition},
    };

    fn standing(next: i64) -> Standing {
        let digest = ChainDigest::start(&ChainIdentity { incarnation: next as u32, ..ChainIdentity::example() });
        Standing {
            timestamp: Millis(1),
            backup: "main".into(),
            topic: "orders".into(),
            topic_id: "id".into(),
            incarnation: 1,
            partition: Partition(0),
            start: Offset(0),
            next: Offset(next),
            totals: Totals { records: next as u64, ..Totals::default() },
            totals_before_start: Totals::default(),
            digest,
            marks: Marks::default(),
            job: None,
        }
    }

    fn held(standing: Standing) -> Held {
        let operations = operations(&Message::Standing(standing));
        let hash = |kind: RegisterKind| {
            let of = kind.key("main");
            let register = |it: &Operation| match it {
                Operation::Max { key, field, order, value } if *key == of => {
                    Some(Register { field: field.clone(), order: order.clone(), value: value.clone() })
                }
                _ => None,
            };
            (kind, operations.iter().filter_map(register).collect())
        };
        Held { registers: Held::KINDS.map(hash).into() }
    }

    fn told(held: &Held, next: i64, committed: Option<i64>, sealed: bool) -> Vec<(RegisterKind, &'static str, bool)> {
        let truth = Truth { standing: standing(next), committed: committed.map(Offset), sealed };
        differences(held, &truth).into_iter().map(|it| (it.kind, it.what, it.remedy.is_ok())).collect()
    }

    #[test]
    fn registers_that_say_what_the_storage_says_are_left_alone() {
        assert_eq!(told(&held(standing(10)), 10, None, false), []);
    }

    #[test]
    fn what_is_missing_or_behind_is_brought_up() {
        let all =
            [RegisterKind::Heads, RegisterKind::Floors, RegisterKind::Incarnations].map(|kind| (kind, "missing", true));
        assert_eq!(told(&Held::default(), 10, None, false), all);
        assert_eq!(told(&held(standing(9)), 10, None, false), [(RegisterKind::Heads, "behind", true)]);
    }

    #[test]
    fn a_head_beyond_the_storage_is_lowered_only_where_kafka_says_that_nothing_is_missing() {
        let ahead = held(standing(11));
        assert_eq!(told(&ahead, 10, None, true), [(RegisterKind::Heads, "ahead", false)]);
        assert_eq!(told(&ahead, 10, Some(11), true), [(RegisterKind::Heads, "ahead", false)]);
        assert_eq!(told(&ahead, 10, Some(10), false), [(RegisterKind::Heads, "ahead", true)]);
        let of_a_loss = held(Standing { marks: Marks { losses: 1, ..Marks::default() }, ..standing(9) });
        assert_eq!(
            told(&of_a_loss, 10, None, false),
            [(RegisterKind::Heads, "ahead", true)],
            "of a loss that nobody accepted"
        );
    }

    #[test]
    fn a_head_of_another_digest_is_replaced_only_where_a_key_vouches_for_the_storage() {
        let other = held(Standing { digest: standing(3).digest, ..standing(10) });
        assert_eq!(told(&other, 10, Some(10), false), [(RegisterKind::Heads, "wrong", false)]);
        assert_eq!(told(&other, 10, Some(10), true), [(RegisterKind::Heads, "wrong", true)]);
        let miscounted = held(Standing { totals: Totals::default(), ..standing(10) });
        assert_eq!(told(&miscounted, 10, None, false), [(RegisterKind::Heads, "wrong", true)]);
    }

    #[test]
    fn a_floor_or_an_incarnation_that_is_wrong_is_put_right() {
        let wrong = held(Standing { start: Offset(5), topic_id: "other".into(), ..standing(10) });
        let expected = [(RegisterKind::Floors, "ahead", true), (RegisterKind::Incarnations, "wrong", true)];
        assert_eq!(told(&wrong, 10, None, false), expected);
    }
}
