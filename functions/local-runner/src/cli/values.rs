//! How values are read.

use clap::builder::{PossibleValue, PossibleValuesParser};
use shared::record::{Offset, Partition};

use crate::host::{function::Row, table::TABLE};

/// The offsets from one on to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// The first.
    pub from: Offset,
    /// The one after the last.
    pub to: Offset,
}

/// `name=value`
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} has no '=': write name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn function_name() -> PossibleValuesParser {
    let name = |row: &'static Row| PossibleValue::new(row.name).help(row.about);
    PossibleValuesParser::new(TABLE.iter().map(name))
}

pub(super) fn partition(text: &str) -> Result<Partition, String> {
    number(text, "partition").map(Partition)
}

pub(super) fn offset(text: &str) -> Result<Offset, String> {
    number(text, "offset").map(Offset)
}

pub(super) fn offset_range(text: &str) -> Result<OffsetRange, String> {
    let (from, to) = text.split_once("..").ok_or_else(|| format!("{text:?} is no range: write FROM..TO"))?;
    Ok(OffsetRange { from: offset(from)?, to: offset(to)? })
}

fn number<T: std::str::FromStr + Default + PartialOrd>(text: &str, what: &str) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(|n| *n >= T::default())
        .ok_or_else(|| format!("{text:?} is no {what}: write a whole number from 0 on"))
}
