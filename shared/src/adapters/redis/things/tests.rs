use std::{collections::BTreeMap, sync::Arc};

use futures::FutureExt as _;
use proptest::prelude::*;

use super::*;
use crate::{
    adapters::memory::{clock::ManualClock, store::MemoryStore},
    ports::store::{Query, Store as _, Value, Waiting},
};

const COUNTERS: [&str; 3] = ["a", "b", "\"quoted\"\n"];
const THINGS: [&str; 3] = ["x", "y", "z"];
const SETS: [&str; 2] = ["pending", "missing"];

fn contribution() -> impl Strategy<Value = Contribution> {
    (prop::sample::select(&COUNTERS[..]), -9..10_i64).prop_map(|(key, by)| Contribution {
        key: key.into(),
        by,
        expires: None,
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let adds = || prop::collection::vec(contribution(), 0..4);
    let waits = prop::collection::vec((prop::sample::select(&SETS[..]), prop::option::of(1..99_i64)), 0..3);
    let order = prop::collection::vec(0..4_u64, 2);
    (prop::sample::select(&THINGS[..]), order, adds(), adds(), waits, any::<bool>()).prop_map(
        |(key, order, adds, keeps, waits, only_known)| Operation::Contribute {
            key: key.into(),
            order,
            adds,
            keeps,
            waits: waits
                .into_iter()
                .map(|(set, since)| Waiting { set: set.into(), since: since.map(Millis) })
                .collect(),
            expires: None,
            only_known,
        },
    )
}

/// What a store holds that is written as the script writes it.
#[derive(Default)]
struct Written {
    things: BTreeMap<String, Vec<u8>>,
    counters: BTreeMap<String, i64>,
    waits: BTreeMap<(String, String), Millis>,
}

impl Written {
    fn apply(&mut self, operations: &[Operation]) {
        let held: Vec<_> = keys(operations).into_iter().map(|key| self.things.get(key).cloned()).collect();
        let Changes { things, adds, waits } = resolve(operations, &held);
        for Thing { key, was, is, .. } in things {
            let before = self.things.insert(key.to_owned(), is.into_bytes());
            assert_eq!(before.unwrap_or_default(), was);
        }
        for add in adds {
            *self.counters.entry(add.key.into_owned()).or_default() += add.by;
        }
        for (set, members) in waits {
            for (thing, since) in members {
                let place = (set.to_owned(), thing.to_owned());
                match since {
                    Some(since) => drop(self.waits.insert(place, since)),
                    None => drop(self.waits.remove(&place)),
                }
            }
        }
    }

    fn answer(&self, query: &Query) -> Option<String> {
        match query {
            Query::Text(key) => self.counters.get(key).map(ToString::to_string),
            Query::Longest(set) => {
                let members = self.waits.iter().filter(|((of, _), _)| of == set);
                members.map(|(_, since)| since.0).min().map(|since| since.to_string())
            }
            Query::Registers(_) | Query::Run => None,
        }
    }
}

proptest! {
    #[test]
    fn batches_of_any_size_leave_what_one_after_the_other_leaves(
        batches in prop::collection::vec(prop::collection::vec(operation(), 0..12), 0..6)
    ) {
        let model = MemoryStore::new(Arc::new(ManualClock::default()));
        let mut written = Written::default();
        for operations in &batches {
            model.apply(&[], operations).now_or_never().unwrap().unwrap();
            written.apply(operations);
        }
        let counters = COUNTERS.map(|key| Query::Text(key.into()));
        let sets = SETS.map(|set| Query::Longest(set.into()));
        let queries: Vec<Query> = counters.into_iter().chain(sets).collect();
        let expected = model.read(&queries).now_or_never().unwrap().unwrap();
        let answers: Vec<Value> = queries.iter().map(|query| Value::Text(written.answer(query))).collect();
        prop_assert_eq!(answers, expected);
    }
}

#[test]
fn a_thing_is_kept_as_it_always_was_and_what_another_program_left_there_gives_way() {
    let add = |by, expires| Contribution { key: "a".into(), by, expires };
    let operation = |order, by| Operation::Contribute {
        key: "x".into(),
        order: vec![order, 2],
        adds: vec![add(by, Some(Millis(7))), add(1, None)],
        keeps: vec![],
        waits: vec![],
        expires: Some(Millis(99)),
        only_known: false,
    };
    let first = [operation(1, 5)];
    for foreign in
        [None, Some(&b""[..]), Some(b"hello"), Some(b"1.2|[1]"), Some(b"\xff|[]"), Some(b"|[[\"a\",\"x\",\"\"]]")]
    {
        let held = [foreign.map(<[u8]>::to_vec)];
        let changes = resolve(&first, &held);
        let is = r#"00000000000000000001.00000000000000000002|[["a","5","7"],["a","1",""]]"#;
        let expected = Thing { key: "x", was: foreign.unwrap_or_default(), is: is.into(), expires: Some(Millis(99)) };
        assert_eq!(changes.things, [expected]);
        assert_eq!(changes.adds, [Add { key: "a".into(), by: 6, expires: Some(Millis(7)) }]);
    }
    let held = [Some(br#"00000000000000000001.00000000000000000002|[["a","5","7"],["a","1",""]]"#.to_vec())];
    assert_eq!(resolve(&first, &held), Changes::default(), "it is known");
    assert_eq!(resolve(&[operation(2, 9)], &held).adds[0].by, 4);
}
