//! The segment chain: keys, invariants, planner.
