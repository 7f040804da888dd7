//! What is read of each location, and what that says.

use shared::{
    metrics::replication::{exposition::LocationView, figures::Question, frontiers},
    ports::store::{Query, Value},
};

/// What to read of a location.
pub(crate) fn queries(question: &Question, location: &str) -> Vec<Query> {
    let mut queries = question.queries(location);
    queries.push(frontiers::query(location));
    queries
}

/// The answers to [`queries`] of these locations.
pub(crate) fn views(
    question: &Question,
    locations: &[String],
    answers: &mut impl Iterator<Item = Value>,
) -> Vec<LocationView> {
    let mut views = vec![];
    for name in locations {
        let figures = question.figures(answers);
        let frontiers = match answers.next() {
            Some(Value::Registers(held)) => frontiers::read(&held),
            _ => Default::default(),
        };
        views.push(LocationView { name: name.clone(), figures, frontiers });
    }
    views
}
