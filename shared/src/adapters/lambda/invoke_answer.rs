//! What an answer of Lambda's Invoke API means: pure.

use serde::Deserialize;
use serde_json::Value;

use crate::{function::FunctionError, ports::invoker::InvokeError};

/// An answer of the Invoke API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    /// HTTP's status code.
    pub status: u16,
    /// `X-Amz-Function-Error`: the function ran and failed.
    pub function_error: Option<&'a str>,
    /// The function's answer, or what is wrong.
    pub body: &'a [u8],
}

/// A function's error, as its runtime reports it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reported {
    #[serde(default)]
    error_type: Option<String>,
    #[serde(default)]
    error_message: Option<String>,
}

/// An error of the Invoke API itself; AWS writes the name with either letter.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(alias = "Message", default)]
    message: String,
}

#[derive(Debug, thiserror::Error)]
#[error("lambda answers {status}: {message}")]
struct TryLater {
    status: u16,
    message: String,
}

impl Answer<'_> {
    /// The function's answer, or why there is none.
    pub(super) fn outcome(&self, function: &str) -> Result<Value, InvokeError> {
        let function = function.to_owned();
        match (self.status, self.function_error) {
            (200, Some(kind)) => Err(self.reported(function, kind)),
            (200, None) if self.body.is_empty() => Ok(Value::Null),
            (200, None) => serde_json::from_slice(self.body).map_err(|error| InvokeError::Refused {
                function,
                message: format!("its answer is not JSON: {error}"),
            }),
            (404, _) => Err(InvokeError::UnknownFunction(function)),
            (408 | 429 | 500.., _) => Err(InvokeError::Unreachable {
                function,
                source: Box::new(TryLater { status: self.status, message: self.refusal() }),
            }),
            (403, _) => {
                let message =
                    format!("{}: allow lambda:InvokeFunction on it, or use other credentials", self.refusal());
                Err(InvokeError::Refused { function, message })
            }
            _ => Err(InvokeError::Refused {
                function,
                message: format!("lambda answers {}: {}", self.status, self.refusal()),
            }),
        }
    }

    fn reported(&self, function: String, kind: &str) -> InvokeError {
        let reported = serde_json::from_slice(self.body).unwrap_or(Reported { error_type: None, error_message: None });
        let message = reported.error_message.unwrap_or_else(|| String::from_utf8_lossy(self.body).into_owned());
        let error_type = reported.error_type.unwrap_or_else(|| kind.to_owned());
        InvokeError::of_function(&function, FunctionError::of_report(&error_type, message))
    }

    fn refusal(&self) -> String {
        serde_json::from_slice::<Refusal>(self.body).unwrap_or_default().message
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(status: u16, function_error: Option<&str>, body: &str) -> Result<Value, InvokeError> {
        Answer { status, function_error, body: body.as_bytes() }.outcome("aggregator")
    }

    fn told(status: u16, function_error: Option<&str>, body: &str) -> String {
        outcome(status, function_error, body).unwrap_err().to_string()
    }

    #[test]
    fn an_answer_is_the_functions_json() {
        assert_eq!(outcome(200, None, r#"{"a": 1}"#).unwrap(), json!({"a": 1}));
        assert_eq!(outcome(200, None, "").unwrap(), Value::Null);
    }

    #[test]
    fn a_functions_error_has_its_type_and_message() {
        let body = r#"{"errorType": "StoreError", "errorMessage": "redis does not answer"}"#;
        assert_eq!(
            told(200, Some("Unhandled"), body),
            "function aggregator failed with StoreError: redis does not answer"
        );
        let timed_out = r#"{"errorMessage": "Task timed out after 3.00 seconds"}"#;
        assert_eq!(
            told(200, Some("Unhandled"), timed_out),
            "function aggregator failed with Unhandled: Task timed out after 3.00 seconds"
        );
        assert_eq!(told(200, Some("Unhandled"), "not json"), "function aggregator failed with Unhandled: not json");
    }

    #[test]
    fn a_functions_error_says_whether_a_retry_may_mend_it() {
        let error = |error_type: &str| {
            outcome(200, Some("Unhandled"), &json!({ "errorType": error_type }).to_string()).unwrap_err()
        };
        let (passes, stays) = (error("AggregateError"), error("AggregateError.Permanent"));
        assert!(passes.retry() && !passes.blames_the_payload());
        assert!(!stays.retry() && stays.blames_the_payload());
        assert!(stays.to_string().contains("failed with AggregateError:"), "{stays}");
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
        for status in [429, 500, 502, 503] {
            let error = outcome(status, None, r#"{"Message": "Rate exceeded"}"#).unwrap_err();
            assert!(matches!(error, InvokeError::Unreachable { .. }) && error.retry(), "{status}");
        }
        for (status, wanted) in
            [(403, "allow lambda:InvokeFunction"), (404, "no function named"), (413, "413: too large")]
        {
            let error = outcome(status, None, r#"{"message": "too large"}"#).unwrap_err();
            assert!(!error.retry() && error.to_string().contains(wanted), "{error}");
        }
        assert!(told(200, None, "<html>").contains("its answer is not JSON"));
    }
}
