//! The segment file format.
