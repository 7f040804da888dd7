//! Printing: a table for people, or one JSON object for programs.

pub mod progress;
pub mod table;
pub mod time;

use std::{
    error::Error,
    io::{self, Write},
};

use serde::Serialize;
use shared::adapters::connect::StartError;

use crate::failure::Failure;

/// What a command prints.
pub trait Report: Serialize {
    /// The name of its JSON's schema.
    const SCHEMA: &'static str;
    /// As people read it, with a line end.
    fn text(&self) -> String;
}

/// A report as `--json` prints it: with the name of its schema.
#[derive(Serialize)]
pub struct Named<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    report: &'a T,
}

impl<'a, T: Report> Named<'a, T> {
    /// A report under its schema's name.
    pub fn of(report: &'a T) -> Self {
        Named { schema: T::SCHEMA, report }
    }
}

/// Prints a report.
pub fn print<T: Report>(report: &T, json: bool) -> Result<(), Failure> {
    if json {
        return line(&Named::of(report));
    }
    text(&report.text())
}

/// Prints a text as it is.
pub fn text(text: &str) -> Result<(), Failure> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::Output)
}

/// Prints a value as one line of JSON.
pub fn line(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let io = |error: serde_json::Error| Failure::Output(error.into());
    serde_json::to_writer(&mut out, value).map_err(io)?;
    out.write_all(b"\n").map_err(Failure::Output)
}

/// Prints why a command failed to standard error, with every cause.
pub fn error(failure: &Failure) {
    if let Failure::Start(StartError::Several(errors)) = failure {
        return errors.iter().for_each(|error| eprintln!("highwater: {}", chain(error)));
    }
    eprintln!("highwater: {}", chain(failure));
    if let Some(hint) = failure.hint() {
        eprintln!("  hint: {hint}");
    }
}

/// An error and its causes, each on a line; a cause that the line before it already quotes is left out.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes.map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
    }
    text
}
