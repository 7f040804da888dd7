//! Function lag-monitor.
