//! Function metrics-aggregator.
