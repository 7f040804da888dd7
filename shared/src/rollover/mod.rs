//! When a segment is closed.
