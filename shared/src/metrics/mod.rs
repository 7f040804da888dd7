//! Figures: standings, changes, Backbeat's keys and formulas, the Prometheus text.

pub mod backbeat;
pub mod exposition;
pub mod number;
pub mod reason;
pub mod registers;
pub mod standing;
pub mod view;
