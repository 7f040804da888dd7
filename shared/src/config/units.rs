//! Sizes and lengths of time as people write them: `64MiB`, `60s`.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::record::Millis;

/// A number of bytes: `64MiB` is 67,108,864, `64MB` is 64,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(pub u64);

/// A length of time: `250ms`, `60s`, `7days`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// A moment: `2026-11-22T15:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub Millis);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let moment: jiff::Timestamp = text
            .trim()
            .parse()
            .map_err(|_| format!("{text:?} is no moment: write it like \"2026-11-22T15:00:00Z\""))?;
        Ok(Moment(Millis(moment.as_millisecond())))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0.0) {
            Ok(moment) => moment.fmt(f),
            Err(_) => self.0.fmt(f),
        }
    }
}

impl ByteSize {
    /// So many mebibytes.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        ByteSize(count * 1024 * 1024)
    }
}

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Span(Duration::from_secs(count))
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size: bytesize::ByteSize =
            text.trim().parse().map_err(|_| format!("{text:?} is no size: write it like \"64MiB\" or \"100kB\""))?;
        Ok(ByteSize(size.as_u64()))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text.trim())
            .map(Span)
            .map_err(|_| format!("{text:?} is no length of time: write it like \"60s\", \"250ms\" or \"7days\""))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.iter().find(|(unit, _)| self.0 >= *unit && self.0.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

macro_rules! text_setting {
    ($name:ident, $example:literal) => {
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "examples": [$example] })
            }
        }
    };
}
pub(super) use text_setting;
text_setting!(ByteSize, "64MiB");
text_setting!(Span, "60s");
text_setting!(Moment, "2026-11-22T15:00:00Z");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_read_as_people_write_them() {
        assert_eq!("64MiB".parse(), Ok(ByteSize::mib(64)));
        assert_eq!("64 MB".parse(), Ok(ByteSize(64_000_000)));
        assert_eq!("60s".parse(), Ok(Span::seconds(60)));
        assert_eq!("1h 30m".parse(), Ok(Span::seconds(5_400)));
    }

    #[test]
    fn a_number_without_its_unit_is_no_length_of_time() {
        assert_eq!(
            "60".parse::<Span>().unwrap_err(),
            "\"60\" is no length of time: write it like \"60s\", \"250ms\" or \"7days\""
        );
        assert!("64 parsecs".parse::<ByteSize>().is_err());
    }

    #[test]
    fn what_is_printed_can_be_read_back() {
        for size in [ByteSize(0), ByteSize(1), ByteSize(1_500), ByteSize::mib(64), ByteSize(3 << 30)] {
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        assert_eq!("2026-11-22T15:00:00Z".parse::<Moment>().unwrap().to_string(), "2026-11-22T15:00:00Z");
        assert!("yesterday".parse::<Moment>().is_err());
        for span in [Span::seconds(0), Span::seconds(60), Span(Duration::from_millis(1_250))] {
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
