//! Function metrics-consumer.
