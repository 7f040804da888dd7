//! Whether the target takes the records' timestamps, and keeps records so old.

use super::{Check, Kind, Severity};
use crate::{
    ports::records::Retention,
    record::{Millis, Partition},
    restore::{Selection, SourcePartition, SourceSegment, clamp::AFTER_MAX_MS},
    segment::metadata::TimestampRange,
};

const RAISE: &str = "raise it until the restore is done";

impl Check<'_> {
    /// Every timestamp can be written, and is kept for longer than a moment.
    pub(super) fn timestamps(&mut self, source: &SourcePartition, selection: &Selection) {
        let Some(range) = range(source, selection) else { return };
        let partition = Some(source.chain.partition);
        let is_exact = source.needed(selection).all(|segment| selection.takes_all_of(&segment.metadata));
        let (severity, may) =
            if is_exact && selection.filter.is_none() { (Severity::Refused, "") } else { (Severity::Note, "may ") };
        let of_date = if self.dated_anew().is_some() { Severity::Note } else { severity };
        if let Some(zero) = source.needed(selection).find(|segment| ends_at_zero(segment, selection)) {
            let message = format!(
                "{} {may}hold records with timestamp 0, which librdkafka takes for the present time: {}",
                zero.entry.key,
                self.dated_anew().unwrap_or("leave them out by a filter or a time range")
            );
            self.found(of_date, Kind::Timestamps, partition, message);
        }
        if self.setting("message.timestamp.type") == Some("LogAppendTime") {
            let message =
                "the target has message.timestamp.type=LogAppendTime, and would date every record anew: set CreateTime"
                    .to_owned();
            self.refuse(Kind::Timestamps, partition, message);
        }
        let now = self.facts.now.0;
        let ahead = self.number("message.timestamp.after.max.ms").unwrap_or(AFTER_MAX_MS);
        if range.max.0 > now.saturating_add(ahead) {
            let message = format!(
                "records {may}have timestamps up to {}, which the target refuses (message.timestamp.after.max.ms={ahead}): {}",
                range.max,
                self.dated_anew().unwrap_or(RAISE)
            );
            self.found(of_date, Kind::Timestamps, partition, message);
        }
        let behind = self.behind_max();
        if range.min.0 >= 0 && range.min.0 < now.saturating_sub(behind) {
            let message = format!(
                "records {may}have timestamps from {} on, which the target refuses (message.timestamp.before.max.ms={behind}): {}",
                range.min,
                self.dated_anew().unwrap_or(RAISE)
            );
            self.found(of_date, Kind::Timestamps, partition, message);
        }
        self.retention(partition, range, selection, source, severity);
    }

    /// How far back the target takes a date, in milliseconds.
    fn behind_max(&self) -> i64 {
        self.number("message.timestamp.before.max.ms").unwrap_or(i64::MAX)
    }

    /// What becomes of records that the target does not take by their dates, where the plan says so.
    fn dated_anew(&self) -> Option<&'static str> {
        let is_asked = self.facts.fixed.clamp_timestamps.is_some();
        is_asked.then_some("they get the nearest that it takes, and a header tells the one they had")
    }

    fn retention(
        &mut self,
        partition: Option<Partition>,
        range: TimestampRange,
        selection: &Selection,
        source: &SourcePartition,
        severity: Severity,
    ) {
        let settings = self.settings();
        let retention = Retention::of_settings(|name| settings.get(name).map(String::as_str));
        let oldest_kept = retention.ms.map(|ms| self.facts.now.0.saturating_sub_unsigned(ms));
        if self.facts.target.is_none() && !settings.contains_key("retention.ms") {
            return; // the cluster's own default, which is looked at when the target exists
        }
        // Kafka keeps a record without a timestamp by when it was written. Where there are such, the others may be of any age.
        let oldest_known = if range.min.0 < 0 { range.max } else { range.min };
        let oldest_known = match self.dated_anew() {
            Some(_) => oldest_known.max(Millis(self.facts.now.0.saturating_sub(self.behind_max()))),
            None => oldest_known,
        };
        if oldest_kept.is_some_and(|oldest| (0..oldest).contains(&oldest_known.0)) {
            let message = format!(
                "records from {} on are older than the target keeps them (retention.ms={}), and would soon be deleted: raise it",
                oldest_known,
                retention.ms.unwrap_or_default()
            );
            self.found(severity, Kind::Retention, partition, message);
        }
        let bytes = source.upper_bound(selection).record_bytes;
        if let Some(max) = retention.bytes.filter(|max| bytes > *max) {
            let message = format!(
                "up to {bytes} bytes are restored, and the target keeps {max} of a partition (retention.bytes): raise it"
            );
            self.found(severity, Kind::Retention, partition, message);
        }
    }
}

/// The timestamps of what is read, as far as they are asked for.
fn range(source: &SourcePartition, selection: &Selection) -> Option<TimestampRange> {
    let ranges = source.needed(selection).filter_map(|segment| segment.metadata.timestamps);
    let all = ranges.fold(None, |all, range| {
        Some(TimestampRange::including(Some(TimestampRange::including(all, range.min)), range.max))
    })?;
    let min = selection.time.from.map_or(all.min, |from| from.max(all.min));
    let max = selection.time.to.map_or(all.max, |to| Millis(to.0 - 1).min(all.max));
    Some(TimestampRange { min, max })
}

/// A segment whose least or greatest timestamp is 0 holds such a record.
fn ends_at_zero(segment: &SourceSegment, selection: &Selection) -> bool {
    let is_zero = |range: TimestampRange| range.min == Millis(0) || range.max == Millis(0);
    selection.time.holds(Millis(0)) && segment.metadata.timestamps.is_some_and(is_zero)
}
