//! The other side of Lambda's HTTP events: what a function URL makes of a request, and of a function's answer.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{HttpRequest, HttpResponse};

/// The event (payload 2.0) that a request becomes, with these headers.
#[must_use]
pub fn event_of(request: &HttpRequest, headers: &[(&str, &str)]) -> Value {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let headers: Map<_, _> = headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
        "requestContext": { "stage": "$default", "http": { "method": request.method, "path": path } },
        "body": BASE64_STANDARD.encode(&request.body), "isBase64Encoded": true,
    })
}

/// The answer that a function's output means.
///
/// # Errors
/// When it is no answer to an HTTP event.
pub fn response_of(output: Value) -> Result<HttpResponse, String> {
    let Output { status_code, headers, body, is_base64_encoded } =
        serde_json::from_value(output).map_err(|error| format!("a function's answer is no HTTP answer: {error}"))?;
    let body = match is_base64_encoded {
        true => BASE64_STANDARD.decode(body).map_err(|error| format!("a function's body is no base64: {error}"))?,
        false => body.into_bytes(),
    };
    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let headers = headers.into_iter().map(|(name, value)| (name.into(), text(value))).collect();
    Ok(HttpResponse { status: status_code, headers, body: Bytes::from(body) })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::{HttpEvent, guard::Guard};

    #[test]
    fn a_request_comes_through_an_event_as_it_was_sent() {
        let request = HttpRequest {
            method: "PUT".to_owned(),
            target: "/_/a//b%2Fc/../d?x=%20&y".to_owned(),
            body: Bytes::from_static(b"\xff\0"),
        };
        let event = HttpEvent::try_from(event_of(&request, &[("host", "h"), ("authorization", "Bearer t")])).unwrap();
        assert_eq!(event.admitted(&Guard::default()), Ok(request));
        assert_eq!(event.sender.authorization.unwrap().reveal(), "Bearer t");
    }

    #[test]
    fn an_answer_comes_back_as_the_function_gave_it() {
        let event = HttpEvent::try_from(event_of(&HttpRequest { method: "GET".into(), ..Default::default() }, &[]));
        let event = event.unwrap();
        for body in [Bytes::from_static(b"text \xc3\xbc"), Bytes::from_static(b"\xff\0")] {
            let headers = vec![("content-type".into(), "a/b".to_owned()), ("x-own".into(), "1".to_owned())];
            let response = HttpResponse { status: 418, headers, body };
            let output = serde_json::to_value(event.answer(response.clone())).unwrap();
            assert_eq!(response_of(output), Ok(response));
        }
        assert!(response_of(json!({"body": "no status"})).unwrap_err().contains("statusCode"));
    }
}
