//! Figures: standings, changes, Backbeat's keys and formulas, the Prometheus text.

pub mod backbeat;
pub mod checks;
pub mod drills;
pub mod effects;
pub mod exposition;
pub mod fold;
pub mod health;
pub mod history;
pub mod keys;
pub mod lag;
pub mod number;
pub mod overview;
pub mod part;
pub mod processes;
pub mod push;
pub mod reason;
pub mod registers;
pub mod registry;
pub mod replication;
pub mod restores;
pub mod runs;
pub mod standing;
pub mod verifications;
pub mod view;
