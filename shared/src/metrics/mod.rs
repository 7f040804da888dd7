//! Figures: standings, changes, Backbeat's keys and formulas, the Prometheus text.

pub mod reason;
pub mod registers;
pub mod standing;
