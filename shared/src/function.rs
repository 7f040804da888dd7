//! What all functions have in common, whoever hosts them: JSON comes in, an answer or an error goes out as JSON.

use std::{convert::Infallible, error::Error, fmt, future::Future};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::record::Millis;

/// The sources of scheduled events.
const SCHEDULES: [&str; 2] = ["aws.events", "aws.scheduler"];

/// What a function answers.
pub type Answer = Result<Value, FunctionError>;

/// Marks the `errorType` of an error that no retry mends. Lambda carries nothing else of an error but its text.
const PERMANENT: &str = ".Permanent";

/// An error of a handler.
pub trait HandlerError: Error {
    /// Whether the same call may succeed later.
    fn retry(&self) -> bool;
}

impl HandlerError for Infallible {
    fn retry(&self) -> bool {
        match *self {}
    }
}

/// A function's own error, as Lambda shows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct FunctionError {
    /// Its type's name: Lambda's `errorType`.
    pub error_type: String,
    /// Its text, causes included: Lambda's `errorMessage`.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retry: bool,
}

/// Reads a payload as the handler's input, runs the handler, and writes its output.
///
/// # Errors
/// When the payload is no input, and where the handler fails: the type's name, the text and what caused it.
pub async fn answer<I, O, E, F>(payload: Value, handler: impl FnOnce(I) -> F) -> Answer
where
    I: DeserializeOwned,
    O: Serialize,
    E: HandlerError,
    F: Future<Output = Result<O, E>>,
{
    let input = read(payload).map_err(|error| FunctionError::of(&error, false))?;
    let output = handler(input).await.map_err(|error| FunctionError::of(&error, error.retry()))?;
    serde_json::to_value(output).map_err(|error| FunctionError::of(&error, false))
}

/// Reads a payload as a function's input. A schedule's own event, which says nothing but when it came, is an empty input.
///
/// # Errors
/// With the field that does not fit.
pub fn read<I: DeserializeOwned>(payload: Value) -> Result<I, InputError> {
    let payload = if is_of_a_schedule(&payload) { Value::Object(Map::new()) } else { payload };
    // To know where an error is costs as much as the reading: it is looked for only when there is one.
    I::deserialize(&payload).or_else(|_| serde_path_to_error::deserialize(payload).map_err(InputError))
}

/// Whether a payload is what EventBridge sends at a scheduled time when it is configured with no input.
fn is_of_a_schedule(payload: &Value) -> bool {
    let source = payload.get("source").and_then(Value::as_str);
    source.is_some_and(|source| SCHEDULES.contains(&source)) && payload.get("detail-type").is_some()
}

/// A payload that is not what the function takes.
#[derive(Debug, thiserror::Error)]
#[error("the input is not what this function takes: {0}")]
pub struct InputError(serde_path_to_error::Error<serde_json::Error>);

/// A field of an input with a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}: {rule}")]
pub struct BadField {
    /// The field, as `shard.index`.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub rule: String,
}

impl BadField {
    /// The field that has this value, and what it must be instead.
    pub fn new(field: impl Into<String>, value: impl fmt::Debug, rule: impl Into<String>) -> Self {
        BadField { field: field.into(), value: format!("{value:?}"), rule: rule.into() }
    }

    /// Checks a point in time: milliseconds since 1970.
    ///
    /// # Errors
    /// When it is before 1970.
    pub fn check_time(field: &str, time: Option<Millis>) -> Result<(), Self> {
        match time {
            Some(Millis(time)) if time < 0 => {
                Err(BadField::new(field, time, "it must be 0 or more, in milliseconds since 1970"))
            }
            _ => Ok(()),
        }
    }
}

impl FunctionError {
    /// The error's type name, and its text with those of its causes.
    pub fn of<E: Error>(error: &E, retry: bool) -> Self {
        FunctionError { error_type: short_type_name::<E>().to_owned(), message: with_sources(error), retry }
    }

    /// The error that has these texts on its way through Lambda.
    #[must_use]
    pub fn of_report(error_type: &str, message: String) -> Self {
        let permanent = error_type.strip_suffix(PERMANENT);
        let retry = permanent.is_none();
        FunctionError { error_type: permanent.unwrap_or(error_type).to_owned(), message, retry }
    }

    /// The `errorType` by which it is reported: it tells whether a retry may mend it.
    #[must_use]
    pub fn reported_type(&self) -> String {
        let mark = if self.retry { "" } else { PERMANENT };
        format!("{}{mark}", self.error_type)
    }
}

/// A type's name without its path and its parameters: `WriteError`.
fn short_type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// The error and what caused it, in one line; a text that is told already is left out.
#[must_use]
pub fn with_sources(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    for cause in causes.map(ToString::to_string) {
        if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum OuterError {
        #[error("the outer thing failed")]
        Outer(#[source] std::io::Error),
        #[error(transparent)]
        Through(#[from] std::num::ParseIntError),
    }

    #[test]
    fn a_failure_has_the_errors_type_and_the_text_of_each_cause_once() {
        let error = FunctionError::of(&OuterError::Outer(std::io::Error::other("no disk")), true);
        assert_eq!(error.to_string(), "OuterError: the outer thing failed: no disk");
        let error = FunctionError::of(&OuterError::from("x".parse::<i32>().unwrap_err()), true);
        assert_eq!(error.message, "invalid digit found in string");
    }

    #[test]
    fn whether_a_retry_may_help_survives_the_report() {
        for retry in [true, false] {
            let error = FunctionError { error_type: "StoreError".into(), message: "no".into(), retry };
            assert_eq!(FunctionError::of_report(&error.reported_type(), "no".into()), error);
        }
        assert!(FunctionError::of_report("Runtime.ExitError", String::new()).retry, "what others report may pass");
    }

    impl HandlerError for OuterError {
        fn retry(&self) -> bool {
            matches!(self, OuterError::Outer(_))
        }
    }

    #[tokio::test]
    async fn an_input_that_does_not_fit_is_told_with_its_place() {
        let sum = |numbers: Vec<Vec<i32>>| async move { Ok::<i32, OuterError>(numbers.concat().iter().sum()) };
        assert_eq!(answer(json!([[1], [2, 3]]), sum).await, Ok(json!(6)));
        let error = answer(json!([[1], [2, "x"]]), sum).await.unwrap_err();
        assert_eq!((error.error_type.as_str(), error.retry), ("InputError", false));
        assert!(error.message.contains("function takes: [1][1]: invalid type: string \"x\""), "{}", error.message);
    }

    #[tokio::test]
    async fn a_schedules_own_event_is_an_empty_input_and_other_fields_are_refused() {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}
        let empty = |_: Empty| async { Ok::<_, OuterError>(()) };
        for source in SCHEDULES {
            let event = json!({"source": source, "detail-type": "Scheduled Event", "id": "1", "detail": {}});
            assert_eq!(answer(event, empty).await, Ok(Value::Null));
        }
        let error = answer(json!({"source": "aws.events"}), empty).await.unwrap_err();
        assert!(error.message.contains("unknown field `source`"), "{error}");
    }

    #[test]
    fn a_bad_field_is_told_with_its_value_and_its_rule() {
        let error = BadField::check_time("deadline", Some(Millis(-5))).unwrap_err();
        assert_eq!(error.to_string(), "deadline is -5: it must be 0 or more, in milliseconds since 1970");
        assert_eq!(BadField::check_time("deadline", Some(Millis(0))), Ok(()));
        assert_eq!(BadField::new("backup", "", "name one").to_string(), "backup is \"\": name one");
    }

    #[test]
    fn a_type_name_has_no_path_and_no_parameters() {
        assert_eq!(short_type_name::<OuterError>(), "OuterError");
        assert_eq!(short_type_name::<serde_path_to_error::Error<serde_json::Error>>(), "Error");
    }
}
