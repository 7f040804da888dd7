//! Function metrics-aggregator: applies folded increments to the store, each part whole and once.
//!
//! It decides nothing. The store compares the part's position with its own and does all of it or nothing, so that a part
//! may come twice, late, or while another one is under way.

use std::sync::Arc;

use shared::{
    crash,
    function::{BadField, HandlerError},
    metrics::part::{Outcome, Part},
    ports::store::{Applied, Store, StoreError},
};

/// The name under which the function is invoked.
pub const NAME: &str = "metrics-aggregator";

/// The world as the function sees it.
#[derive(Clone)]
pub struct Context {
    /// Where the figures are.
    pub store: Arc<dyn Store>,
}

/// Why a part was not applied, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum AggregateError {
    /// The part moves its position backwards.
    #[error(
        "partition {partition} of metrics topic {topic_id}: a part from {from} to {to} goes backwards: nothing was applied"
    )]
    Backwards {
        /// The metrics topic's id.
        topic_id: String,
        /// The partition.
        partition: i32,
        /// From where.
        from: i64,
        /// To where.
        to: i64,
    },
    /// The part has a field with a value that it cannot have.
    #[error(transparent)]
    BadInput(#[from] BadField),
    /// The store failed. Whether the part was applied is told by the position.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AggregateError {
    /// Whether the same part may be applied later: always where the store is to blame, since what it refuses a person can
    /// mend. The consumer passes over parts that can never be applied, so nothing else may look like one.
    #[must_use]
    pub fn retry(&self) -> bool {
        match self {
            AggregateError::Backwards { .. } | AggregateError::BadInput(_) => false,
            AggregateError::Store(_) => true,
        }
    }
}

impl HandlerError for AggregateError {
    fn retry(&self) -> bool {
        AggregateError::retry(self)
    }
}

/// Applies a part, or answers where its partition stands.
///
/// # Errors
/// [`AggregateError`]; after a retryable one the part may have been applied, and asking again is safe.
pub async fn handle(part: Part, context: &Context) -> Result<Outcome, AggregateError> {
    check(&part)?;
    let applied = context.store.apply(&[part.advance()], &part.operations).await?;
    if applied == Applied::Done {
        crash::point("after-store");
    }
    Ok(part.outcome(&applied))
}

fn check(part: &Part) -> Result<(), AggregateError> {
    part.check()?;
    match part.from {
        Some(from) if part.to < from => Err(AggregateError::Backwards {
            topic_id: part.place.topic_id.to_string(),
            partition: part.place.partition.0,
            from: from.0,
            to: part.to.0,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use shared::{
        adapters::memory::{clock::ManualClock, store::MemoryStore},
        metrics::part::Place,
        ports::store::{Operation, Query, Value},
        record::{Offset, Partition, TopicId},
    };

    use super::*;

    fn context() -> Context {
        Context { store: Arc::new(MemoryStore::new(Arc::new(ManualClock::default()))) }
    }

    fn part(from: Option<i64>, to: i64) -> Part {
        let place = Place { topic_id: TopicId::from("metrics"), partition: Partition(1) };
        let add = Operation::Add { key: "a".into(), by: 1, expires: None };
        Part { place, from: from.map(Offset), to: Offset(to), operations: vec![add] }
    }

    #[tokio::test]
    async fn a_part_counts_once_however_often_it_comes() {
        let context = context();
        let done = Outcome::Done { position: Offset(5) };
        assert_eq!(handle(part(None, 5), &context).await.unwrap(), done);
        let elsewhere = Outcome::Elsewhere { position: Some(Offset(5)) };
        for _ in 0..3 {
            assert_eq!(handle(part(None, 5), &context).await.unwrap(), elsewhere);
        }
        let counted = context.store.read(&[Query::Text("a".into())]).await.unwrap();
        assert_eq!(counted, [Value::Text(Some("1".into()))]);
    }

    #[tokio::test]
    async fn asking_changes_nothing_and_is_answered_with_the_position() {
        let context = context();
        let asking = || Part::asking(part(None, 5).place);
        assert_eq!(handle(asking(), &context).await.unwrap(), Outcome::Elsewhere { position: None });
        handle(part(None, 5), &context).await.unwrap();
        assert_eq!(handle(asking(), &context).await.unwrap(), Outcome::Elsewhere { position: Some(Offset(5)) });
    }

    #[tokio::test]
    async fn a_part_that_goes_backwards_is_refused() {
        let error = handle(part(Some(9), 5), &context()).await.unwrap_err();
        assert!(!error.retry());
        assert!(error.to_string().contains("from 9 to 5 goes backwards"), "{error}");
    }
}
