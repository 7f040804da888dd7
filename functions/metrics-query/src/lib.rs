//! Function metrics-query.
