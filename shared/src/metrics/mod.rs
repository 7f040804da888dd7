//! Figures: standings, changes, Backbeat's keys and formulas, the Prometheus text.
