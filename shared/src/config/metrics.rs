//! `[metrics]`: how figures travel and how long they count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Span;
use crate::metrics::backbeat::keys::Windows;

/// The interval that Backbeat uses; with another one its Redis keys cannot be shared.
pub const BACKBEAT_INTERVAL_S: u32 = 300;

/// The metrics topic and the windows of the figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// The topic that standings and replication events travel on.
    #[schemars(length(min = 1, max = 249))]
    pub topic: String,
    /// Its partitions, when Highwater creates it.
    #[schemars(range(min = 1))]
    pub partitions: u16,
    /// How long it keeps messages, when Highwater creates it.
    pub retention: Span,
    /// Seconds a counter covers. Another value than 300 makes keys that Backbeat cannot share.
    #[schemars(range(min = 1))]
    pub interval_s: u32,
    /// Seconds that completions and failures look back; a multiple of the interval.
    #[schemars(range(min = 1))]
    pub window_s: u32,
    /// Seconds that the progress of an object looks back; a multiple of the interval.
    #[schemars(range(min = 1))]
    pub object_window_s: u32,
    /// Seconds between two looks at log ends, new topics and figures to heal. On Lambda the schedule decides: set it to the same.
    #[schemars(range(min = 1))]
    pub refresh_s: u32,
    /// With more partitions than this, `/metrics` has no series by partition: those of lag and loss are by topic then (the sum
    /// of records and bytes, the greatest age, the least time to a loss), the others are left out.
    pub partition_series_max: u32,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        MetricsSettings {
            topic: "backbeat-metrics".into(),
            partitions: 4,
            retention: Span::seconds(7 * 24 * 3_600),
            interval_s: BACKBEAT_INTERVAL_S,
            window_s: 900,
            object_window_s: 86_400,
            refresh_s: 15,
            partition_series_max: 2_000,
        }
    }
}

impl MetricsSettings {
    /// How time is cut.
    #[must_use]
    pub fn windows(&self) -> Windows {
        Windows { interval_s: self.interval_s, window_s: self.window_s, object_window_s: self.object_window_s }
    }
}
