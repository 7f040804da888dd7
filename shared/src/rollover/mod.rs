//! When a segment is closed: by size, by age, or because memory is short.

use std::time::Duration;

use crate::record::Record;

/// The limits of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollover {
    /// Bytes of keys, values and headers. A single larger record makes a segment of its own.
    pub bytes_max: u64,
    /// The longest a record waits for its segment to be closed.
    pub age_max: Duration,
}

impl Rollover {
    /// How many of `records` still fit a segment that holds `open_bytes`: it is closed before the first that does not.
    /// An empty segment takes one record at least.
    #[must_use]
    pub fn fitting(&self, open_bytes: u64, records: &[Record]) -> usize {
        let mut bytes = open_bytes;
        for (index, record) in records.iter().enumerate() {
            let with = bytes.saturating_add(record.size_bytes());
            if with > self.bytes_max && (bytes > 0 || index > 0) {
                return index;
            }
            bytes = with;
        }
        records.len()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::record::{Millis, Offset, TimestampType};

    fn records(sizes: &[usize]) -> Vec<Record> {
        let record = |size: &usize| Record {
            offset: Offset(0),
            timestamp: Millis(0),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some(vec![0; *size].into()),
            headers: vec![],
        };
        sizes.iter().map(record).collect()
    }

    const ROLLOVER: Rollover = Rollover { bytes_max: 100, age_max: Duration::from_secs(60) };

    #[test]
    fn a_segment_is_closed_before_the_record_that_would_exceed_it() {
        assert_eq!(ROLLOVER.fitting(0, &records(&[40, 60, 1])), 2);
        assert_eq!(ROLLOVER.fitting(50, &records(&[50, 1])), 1);
        assert_eq!(ROLLOVER.fitting(100, &records(&[1])), 0);
    }

    #[test]
    fn a_record_larger_than_a_segment_has_one_to_itself() {
        assert_eq!(ROLLOVER.fitting(0, &records(&[500, 1])), 1);
        assert_eq!(ROLLOVER.fitting(1, &records(&[500])), 0);
    }

    #[test]
    fn records_without_a_byte_always_fit() {
        let empty = Record { value: Some(Bytes::new()), ..records(&[0]).remove(0) };
        assert_eq!(ROLLOVER.fitting(100, &[empty]), 1);
    }
}
