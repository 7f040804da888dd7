//! Which records of a partition are restored.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    record::{Millis, Offset, Record, TopicPartition, filter::Filter},
    schemas::TopicIds,
    segment::SegmentMetadata,
};

/// Offsets from one on to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OffsetRange {
    /// The first; absent: the first there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Offset>,
    /// The one after the last; absent: to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Offset>,
}

/// Record timestamps from one on to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TimeRange {
    /// The earliest; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Millis>,
    /// The one after the latest; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Millis>,
}

impl TimeRange {
    /// Whether a timestamp is in the range.
    #[must_use]
    pub fn holds(&self, timestamp: Millis) -> bool {
        self.from.is_none_or(|from| timestamp >= from) && self.to.is_none_or(|to| timestamp < to)
    }

    /// Whether any timestamp from `min` to `max`, both included, is in the range.
    #[must_use]
    pub fn meets(&self, min: Millis, max: Millis) -> bool {
        self.from.is_none_or(|from| max >= from) && self.to.is_none_or(|to| min < to)
    }
}

/// Which records of a partition are restored.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Of these offsets.
    pub offsets: OffsetRange,
    /// Of these timestamps.
    pub time: TimeRange,
    /// Those that it keeps.
    pub filter: Option<Arc<Filter>>,
    /// The ids that are put into them.
    pub ids: Option<Arc<TopicIds>>,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It is restored.
    Restored,
    /// It is restored, since the filter cannot judge it.
    Undecided,
    /// The filter leaves it out.
    Filtered,
    /// It is not asked for.
    Outside,
}

impl Selection {
    /// What becomes of a record.
    #[must_use]
    pub fn judge(&self, at: &TopicPartition, record: &Record) -> Take {
        let OffsetRange { from, until } = self.offsets;
        let is_outside = from.is_some_and(|from| record.offset < from)
            || until.is_some_and(|until| record.offset >= until)
            || !self.time.holds(record.timestamp);
        if is_outside {
            return Take::Outside;
        }
        match self.filter.as_ref().map(|filter| filter.keeps(at, record)) {
            None | Some(Ok(true)) => Take::Restored,
            Some(Ok(false)) => Take::Filtered,
            Some(Err(_)) => Take::Undecided,
        }
    }

    /// Whether a segment may hold a record that is asked for.
    #[must_use]
    pub fn needs(&self, segment: &SegmentMetadata) -> bool {
        let in_time = |range: crate::segment::metadata::TimestampRange| self.time.meets(range.min, range.max);
        self.overlaps(segment.base, segment.next) && segment.timestamps.is_some_and(in_time)
    }

    /// Whether all records of a segment are asked for, but for the filter.
    #[must_use]
    pub fn takes_all_of(&self, segment: &SegmentMetadata) -> bool {
        let OffsetRange { from, until } = self.offsets;
        let holds =
            |range: crate::segment::metadata::TimestampRange| self.time.holds(range.min) && self.time.holds(range.max);
        from.is_none_or(|from| from <= segment.base)
            && until.is_none_or(|until| segment.next <= until)
            && segment.timestamps.is_none_or(holds)
    }

    /// Whether any offset of [base, next) is asked for.
    #[must_use]
    pub fn overlaps(&self, base: Offset, next: Offset) -> bool {
        let OffsetRange { from, until } = self.offsets;
        base < next && from.is_none_or(|from| from < next) && until.is_none_or(|until| base < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::TimestampType;

    fn record(offset: i64, timestamp: i64) -> Record {
        Record {
            offset: Offset(offset),
            timestamp: Millis(timestamp),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some("v".into()),
            headers: vec![],
        }
    }

    fn taken(selection: &Selection, record: &Record) -> Take {
        selection.judge(&TopicPartition::new("t", 0), record)
    }

    #[test]
    fn from_is_included_and_until_and_to_are_not() {
        let selection = Selection {
            offsets: OffsetRange { from: Some(Offset(5)), until: Some(Offset(8)) },
            time: TimeRange { from: Some(Millis(100)), to: Some(Millis(200)) },
            ..Selection::default()
        };
        let take = |offset, timestamp| taken(&selection, &record(offset, timestamp)) == Take::Restored;
        assert_eq!([4, 5, 7, 8].map(|offset| take(offset, 150)), [false, true, true, false]);
        assert_eq!([99, 100, 199, 200].map(|timestamp| take(6, timestamp)), [false, true, true, false]);
    }

    #[test]
    fn a_record_without_a_timestamp_is_before_any_beginning() {
        let from = Selection { time: TimeRange { from: Some(Millis(0)), to: None }, ..Selection::default() };
        let to = Selection { time: TimeRange { from: None, to: Some(Millis(1)) }, ..Selection::default() };
        assert_eq!(taken(&from, &record(0, -1)), Take::Outside);
        assert_eq!(taken(&to, &record(0, -1)), Take::Restored);
    }

    #[test]
    fn what_the_filter_cannot_judge_is_restored_and_said() {
        let filter = |text: &str| Some(Arc::new(Filter::compile(text).unwrap()));
        let with = |text: &str| Selection { filter: filter(text), ..Selection::default() };
        assert_eq!(taken(&with("value == 'v'"), &record(0, 1)), Take::Restored);
        assert_eq!(taken(&with("value == 'w'"), &record(0, 1)), Take::Filtered);
        assert_eq!(taken(&with("value.json.a == 1"), &record(0, 1)), Take::Undecided);
    }
}
