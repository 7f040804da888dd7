//! Function segment-writer.
