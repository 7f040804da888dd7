//! What the control routes ask: the failed operations of replication, and locations paused and resumed.
//!
//! `crr/failed[?marker=&sitename=]`, `crr/failed/<bucket>/<key...>?versionId=`, `crr/{pause,resume,status}[/<location>]`,
//! `crr/resume/<location>/schedule`.

use serde_json::Value;

use super::{
    error::ErrorAnswer,
    line::{Line, Request},
    retry_body::{self, Retry},
};

/// A schedule without hours is for so many.
const HOURS_DEFAULT: f64 = 6.0;
/// A year.
const HOURS_MAX: f64 = 8_784.0;

/// What a control route asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// The failed operations, from the so-manieth on.
    Failed {
        /// How many of them to pass over.
        marker: usize,
        /// Of which locations.
        locations: Vec<String>,
    },
    /// The failed operations of an object's version, at any location.
    FailedObject {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// Its version.
        version_id: String,
    },
    /// Try these again now.
    Retry(Vec<Retry>),
    /// Copy nothing to these locations.
    Pause(Vec<String>),
    /// Go on.
    Resume(Vec<String>),
    /// Go on after so long.
    ResumeLater {
        /// At which locations.
        locations: Vec<String>,
        /// After how many milliseconds.
        after_ms: i64,
    },
    /// Do not go on by itself.
    Unschedule(Vec<String>),
    /// Whether these are paused.
    Status(Vec<String>),
    /// When these go on by themselves.
    Resumes(Vec<String>),
}

pub(super) fn parse(request: Request<'_>, line: &Line<'_>, all: &[String]) -> Result<Control, ErrorAnswer> {
    let known = |name: &str| match name {
        "" | "all" => Some(all.to_vec()),
        name => all.iter().find(|location| *location == name).map(|location| vec![location.clone()]),
    };
    let locations = |name: &str| known(name).ok_or_else(|| line.not_found());
    match (request.method, &line.segments[1..]) {
        ("GET", ["failed", rest @ ..]) => failed(line, rest, all),
        ("POST", ["failed"]) => retry_body::parse(request.body).map(Control::Retry),
        ("POST", ["pause"]) => Ok(Control::Pause(all.to_vec())),
        ("POST", ["pause", name]) => locations(name).map(Control::Pause),
        ("POST", ["resume"]) => Ok(Control::Resume(all.to_vec())),
        ("POST", ["resume", name]) => locations(name).map(Control::Resume),
        ("GET", ["status"]) => Ok(Control::Status(all.to_vec())),
        ("GET", ["status", name]) => locations(name).map(Control::Status),
        ("GET", ["resume"]) => Ok(Control::Resumes(all.to_vec())),
        ("GET", ["resume", name]) => locations(name).map(Control::Resumes),
        ("POST", ["resume", name, "schedule"]) => {
            Ok(Control::ResumeLater { locations: locations(name)?, after_ms: hours(request.body)? })
        }
        ("DELETE", ["resume", name, "schedule"]) => locations(name).map(Control::Unschedule),
        _ => Err(line.not_found()),
    }
}

fn failed(line: &Line<'_>, rest: &[&str], all: &[String]) -> Result<Control, ErrorAnswer> {
    let marker =
        line.parameter("marker").map_or(Ok(0), |marker| leading_number(&marker).ok_or(ErrorAnswer::bad_marker()))?;
    match rest {
        [] | [""] => {
            let site = line.parameter("sitename").filter(|site| !site.is_empty());
            let of_site = |location: &&String| site.as_ref().is_none_or(|site| site == *location);
            Ok(Control::Failed { marker, locations: all.iter().filter(of_site).cloned().collect() })
        }
        [bucket, key @ ..] => {
            let (key, version_id) = (key.join("/"), line.parameter("versionId").unwrap_or_default());
            if bucket.is_empty() || key.is_empty() || version_id.is_empty() {
                return Err(ErrorAnswer::object_incomplete(line.tail));
            }
            Ok(Control::FailedObject { bucket: (*bucket).to_owned(), key, version_id })
        }
    }
}

/// The number that a text begins with, as JavaScript's `parseInt` reads it; a negative one passes nothing over.
fn leading_number(text: &str) -> Option<usize> {
    let text = text.trim_start();
    let unsigned = text.trim_start_matches(['+', '-']);
    let digits: String = unsigned.chars().take_while(char::is_ascii_digit).collect();
    let number = digits.parse().unwrap_or(if digits.is_empty() { return None } else { usize::MAX });
    Some(if text.starts_with('-') { 0 } else { number })
}

/// After how many milliseconds: `{"hours":6}`, or nothing.
fn hours(body: &[u8]) -> Result<i64, ErrorAnswer> {
    let wrong = || ErrorAnswer::malformed_post(": hours must be an integer greater than 0");
    let hours = match body.is_empty() {
        true => HOURS_DEFAULT,
        false => {
            let body: Value = serde_json::from_slice(body).map_err(|_| ErrorAnswer::malformed_post(""))?;
            body.get("hours").map_or(Some(HOURS_DEFAULT), Value::as_f64).ok_or_else(wrong)?
        }
    };
    if hours > 0.0 && hours <= HOURS_MAX { Ok((hours * 3_600_000.0) as i64) } else { Err(wrong()) }
}
