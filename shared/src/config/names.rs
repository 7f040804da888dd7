//! Names that become parts of keys: of backups and of locations.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::units::text_setting;

const NAME_LENGTH_MAX: usize = 63;
/// The word that means every location in a metrics route.
const ALL_LOCATIONS: &str = "all";

/// A backup's name: the folder of its segments, and part of its consumer group. 1 to 63 of `a-z`, `0-9` and `-`, with
/// a letter or digit at both ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupName(String);

/// A replication location's name, as it stands in metrics routes, messages and Redis keys. 1 to 63 letters, digits,
/// `-`, `_` and `.`; not `all`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocationName(String);

impl FromStr for BackupName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let inner = text.bytes().all(|b| letter(b) || b == b'-');
        let ends = text.bytes().next().is_some_and(letter) && text.bytes().last().is_some_and(letter);
        if inner && ends && text.len() <= NAME_LENGTH_MAX {
            return Ok(BackupName(text.to_owned()));
        }
        Err(format!(
            "{text:?} cannot be a backup's name: use 1 to {NAME_LENGTH_MAX} of a-z, 0-9 and -, with a letter or digit at both ends"
        ))
    }
}

impl FromStr for LocationName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if text.bytes().all(letter) && (1..=NAME_LENGTH_MAX).contains(&text.len()) && text != ALL_LOCATIONS {
            return Ok(LocationName(text.to_owned()));
        }
        Err(format!(
            "{text:?} cannot be a location's name: use 1 to {NAME_LENGTH_MAX} letters, digits, -, _ and ., and not {ALL_LOCATIONS:?}"
        ))
    }
}

macro_rules! name {
    ($name:ident, $example:literal) => {
        text_setting!($name, $example);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}
name!(BackupName, "main");
name!(LocationName, "us-east-1");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backups_name_is_lower_case_letters_digits_and_inner_hyphens() {
        for name in ["main", "a", "0", "eu-west-1"] {
            assert_eq!(name.parse::<BackupName>().unwrap().as_str(), name);
        }
        for name in ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "=a", "ü", &"a".repeat(64)] {
            assert!(name.parse::<BackupName>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_locations_name_keeps_its_case_and_is_not_all() {
        for name in ["us-east-1", "aws_s3", "Zenko.1"] {
            assert_eq!(name.parse::<LocationName>().unwrap().as_str(), name);
        }
        for name in ["", "all", "a:b", "a/b", "a b"] {
            assert!(name.parse::<LocationName>().is_err(), "{name}");
        }
    }
}
