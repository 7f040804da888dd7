//! The figures of a backup, and what can be wrong with them.

use std::sync::Arc;

use shared::{
    adapters::memory::{clock::ManualClock, store::MemoryStore},
    metrics::{
        registers::{self, RegisterKind, names},
        standing::{Message, Standing},
    },
    ports::store::{Operation, Store},
    record::{Offset, Partition},
};

use super::{
    super::test_backup::{NOW, TestBackup},
    matrix::Damage,
};

/// A store that got every standing that was sent.
pub async fn of(messages: &[Message]) -> Arc<dyn Store> {
    let store = Arc::new(MemoryStore::new(Arc::new(ManualClock::at(NOW))));
    for message in messages {
        store.apply(&[], &registers::operations(message)).await.unwrap();
    }
    store
}

/// Every standing that was sent.
pub async fn messages(test: &TestBackup) -> Vec<Message> {
    let values = test.metrics_messages().await;
    values.iter().map(|value| Message::decode(&serde_json::from_slice(value).unwrap()).unwrap()).collect()
}

/// The last standing of partition 0 of orders that ends there.
pub fn standing<'m>(messages: &'m [Message], next: i64) -> Standing {
    let of_chain = |message: &'m Message| match message {
        Message::Standing(it) if &*it.topic == "orders" && it.partition == Partition(0) => Some(it),
        _ => None,
    };
    let mut standings = messages.iter().filter_map(of_chain);
    standings.rfind(|standing| standing.next == Offset(next)).unwrap().clone()
}

/// Does what a row says to the head of partition 0 of orders.
pub async fn damage(store: &dyn Store, messages: &[Message], damage: Damage) {
    let key = RegisterKind::Heads.key("main");
    let fields = vec![names::chain_field("orders", 1, Partition(0))];
    store.apply(&[], &[Operation::Remove { key: key.clone(), fields }]).await.unwrap();
    let standing = match damage {
        Damage::FiguresBehind => standing(messages, 10),
        Damage::FiguresWrong => {
            let mut standing = standing(messages, 15);
            standing.totals.records += 1;
            standing
        }
        Damage::FiguresAhead => Standing { next: Offset(1_000), ..standing(messages, 15) },
        _ => return,
    };
    let head = registers::operations(&Message::Standing(standing));
    let head: Vec<_> =
        head.into_iter().filter(|it| matches!(it, Operation::Max { key: of, .. } if *of == key)).collect();
    store.apply(&[], &head).await.unwrap();
}
