//! Headers that tell where a record came from, for those who ask for them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::record::{Header, Partition, Record};

/// The names of headers with a record's offset, partition and timestamp in the source. Their values are decimal numbers as
/// text. A header of such a name that a record has already, of an earlier restore perhaps, is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginHeaders {
    /// The name of the header with the offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// The name of the header with the partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The name of the header with the timestamp, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
}

impl OriginHeaders {
    /// Whether none is asked for.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == OriginHeaders::default()
    }

    /// Whether two have the same name.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        let mut names: Vec<_> = [&self.offset, &self.partition, &self.timestamp].into_iter().flatten().collect();
        names.sort();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Puts them behind the record's own.
    pub fn put(&self, record: &mut Record, source: Partition) {
        let values = [
            (&self.offset, record.offset.0),
            (&self.partition, i64::from(source.0)),
            (&self.timestamp, record.timestamp.0),
        ];
        for (name, value) in values {
            let Some(name) = name else { continue };
            record.headers.retain(|header| header.name != name.as_bytes());
            let name = Bytes::copy_from_slice(name.as_bytes());
            record.headers.push(Header { name, value: Some(value.to_string().into()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Millis, Offset, TimestampType};

    fn record(headers: &[(&'static str, &'static str)]) -> Record {
        let header = |(name, value): &(&'static str, &'static str)| Header {
            name: Bytes::from_static(name.as_bytes()),
            value: Some(Bytes::from_static(value.as_bytes())),
        };
        Record {
            offset: Offset(7),
            timestamp: Millis(-1),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: headers.iter().map(header).collect(),
        }
    }

    fn names(offset: &str, timestamp: &str) -> OriginHeaders {
        OriginHeaders { offset: Some(offset.to_owned()), partition: None, timestamp: Some(timestamp.to_owned()) }
    }

    #[test]
    fn they_come_behind_the_others_and_replace_those_of_an_earlier_restore() {
        let mut restored = record(&[("offset", "3"), ("a", "1"), ("offset", "5")]);
        names("offset", "time").put(&mut restored, Partition(2));
        assert_eq!(restored.headers, record(&[("a", "1"), ("offset", "7"), ("time", "-1")]).headers);
    }

    #[test]
    fn none_asked_for_changes_nothing() {
        let mut restored = record(&[("a", "1")]);
        OriginHeaders::default().put(&mut restored, Partition(2));
        assert_eq!(restored, record(&[("a", "1")]));
        assert!(names("x", "x").is_ambiguous() && !names("x", "y").is_ambiguous());
    }
}
