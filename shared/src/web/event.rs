//! HTTP as Lambda gets it: from API Gateway (REST, HTTP API), a function URL, or a load balancer.
//!
//! The type is our own because a target must reach the function as it was sent: keys hold `//`, `%2F` and dots, and whoever
//! builds a URI of what came tidies, or panics where a decoded path is none.
//!
//! | from | path | query |
//! |---|---|---|
//! | HTTP API, function URL (payload 2.0) | `rawPath`; the stage's name goes | `rawQueryString` |
//! | REST API, HTTP API with payload 1.0 | `path` | decoded maps, encoded here again |
//! | load balancer | `path` | maps that nothing decoded |

use std::{
    borrow::Cow,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    HttpRequest, HttpResponse,
    guard::{Guard, Sender},
};
use crate::config::secret::Secret;

/// What needs no encoding in a query (RFC 3986, "unreserved").
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The stage of an HTTP API that stands in no path.
const NO_STAGE: &str = "$default";

/// A request as an event brought it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct HttpEvent {
    /// The request.
    pub request: HttpRequest,
    /// What it tells of who sent it.
    pub sender: Sender,
    /// Whether headers have lists of values in this kind of event, and so in its answer.
    lists: bool,
}

/// Why a payload is no HTTP event.
#[derive(Debug, thiserror::Error)]
pub enum HttpEventError {
    /// It has other fields, or of other types.
    #[error("{0}: an event of api gateway, a function url or a load balancer is expected")]
    Other(#[from] serde_json::Error),
    /// It names no method or no path.
    #[error("it has no {0}: an event of api gateway, a function url or a load balancer is expected")]
    Without(&'static str),
    /// Its body is said to be base64 and is not.
    #[error("body is not base64, although isBase64Encoded says so")]
    Body,
}

/// An answer as the event's source takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpAnswer {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<Cow<'static, str>, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<Cow<'static, str>, Vec<String>>>,
    body: String,
    is_base64_encoded: bool,
}

type Values = Option<BTreeMap<String, String>>;
type Lists = Option<BTreeMap<String, Vec<String>>>;

/// The event's fields that matter, of all its forms.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    http_method: Option<String>,
    path: Option<String>,
    query_string_parameters: Values,
    multi_value_query_string_parameters: Lists,
    headers: Values,
    multi_value_headers: Lists,
    request_context: Source,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Source {
    stage: Option<String>,
    http: Option<Asked>,
    identity: Option<Asked>,
    elb: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    method: Option<String>,
    source_ip: Option<String>,
}

impl TryFrom<Value> for HttpEvent {
    type Error = HttpEventError;

    fn try_from(payload: Value) -> Result<Self, HttpEventError> {
        let written: Written = serde_json::from_value(payload)?;
        let method = written.method().ok_or(HttpEventError::Without("method"))?.to_uppercase();
        let path = written.path().ok_or(HttpEventError::Without("path"))?;
        let query = written.query();
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let request = HttpRequest { method, target, body: written.body()? };
        Ok(HttpEvent { request, sender: written.sender(), lists: written.multi_value_headers.is_some() })
    }
}

impl HttpEvent {
    /// The request, where the guard lets it in; else the answer.
    ///
    /// # Errors
    /// The answer.
    pub fn admitted(&self, guard: &Guard) -> Result<HttpRequest, HttpAnswer> {
        let method = &self.request.method;
        match guard.check(method, &self.sender) {
            Ok(()) => Ok(self.request.clone()),
            Err(refusal) => Err(self.answer(refusal.answer(method))),
        }
    }

    /// The answer in the form that goes with this event.
    #[must_use]
    pub fn answer(&self, response: HttpResponse) -> HttpAnswer {
        let is_text = std::str::from_utf8(&response.body).is_ok();
        let body = match is_text {
            true => String::from_utf8_lossy(&response.body).into_owned(),
            false => BASE64_STANDARD.encode(&response.body),
        };
        let headers = response.headers.into_iter();
        let (headers, multi_value_headers) = match self.lists {
            true => (None, Some(headers.map(|(name, value)| (name, vec![value])).collect())),
            false => (Some(headers.collect()), None),
        };
        HttpAnswer { status_code: response.status, headers, multi_value_headers, body, is_base64_encoded: !is_text }
    }
}

impl Written {
    fn method(&self) -> Option<&str> {
        let http = self.request_context.http.as_ref();
        http.and_then(|http| http.method.as_deref()).or(self.http_method.as_deref())
    }

    fn path(&self) -> Option<&str> {
        let Some(raw) = self.raw_path.as_deref() else { return self.path.as_deref() };
        let stage = self.request_context.stage.as_deref().filter(|stage| *stage != NO_STAGE);
        let behind_stage = stage.and_then(|stage| raw.strip_prefix('/')?.strip_prefix(stage));
        Some(behind_stage.filter(|rest| rest.starts_with('/')).unwrap_or(raw))
    }

    fn query(&self) -> String {
        if let Some(raw) = &self.raw_query_string {
            return raw.clone();
        }
        let single = || {
            let pairs = self.query_string_parameters.iter().flatten();
            pairs.map(|(name, value)| self.pair(name, value)).collect::<Vec<_>>()
        };
        let several = |lists: &BTreeMap<String, Vec<String>>| {
            let pairs = lists.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
            pairs.map(|(name, value)| self.pair(name, value)).collect::<Vec<_>>()
        };
        self.multi_value_query_string_parameters.as_ref().map_or_else(single, several).join("&")
    }

    fn pair(&self, name: &str, value: &str) -> String {
        match &self.request_context.elb {
            Some(_) => format!("{name}={value}"),
            None => format!("{}={}", utf8_percent_encode(name, PLAIN), utf8_percent_encode(value, PLAIN)),
        }
    }

    fn sender(&self) -> Sender {
        let header = |name| self.header(name).map(str::to_owned);
        Sender {
            client: self.client(),
            hosts: header("host").into_iter().collect(),
            origin: header("origin"),
            authorization: self.header("authorization").map(Secret::new),
        }
    }

    /// Who asks: a load balancer adds that to the end of a header, the others have a field.
    fn client(&self) -> Option<IpAddr> {
        let context = &self.request_context;
        let asked = context.http.as_ref().or(context.identity.as_ref());
        match (asked.and_then(|asked| asked.source_ip.as_deref()), &context.elb) {
            (Some(address), _) => address.parse().ok(),
            (None, Some(_)) => {
                let last = self.header("x-forwarded-for")?.rsplit(',').next()?.trim();
                last.parse().ok().or_else(|| Some(last.parse::<SocketAddr>().ok()?.ip()))
            }
            (None, None) => None,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let single = self.headers.iter().flatten().map(|(other, value)| (other, Some(value)));
        let several = self.multi_value_headers.iter().flatten().map(|(other, values)| (other, values.last()));
        single.chain(several).find(|(other, _)| other.eq_ignore_ascii_case(name))?.1.map(String::as_str)
    }

    fn body(&self) -> Result<Bytes, HttpEventError> {
        let body = self.body.clone().unwrap_or_default();
        match self.is_base64_encoded {
            Some(true) => BASE64_STANDARD.decode(body).map(Bytes::from).map_err(|_| HttpEventError::Body),
            _ => Ok(body.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(event: Value) -> HttpRequest {
        HttpEvent::try_from(event).unwrap().request
    }

    fn sender(event: Value) -> Sender {
        HttpEvent::try_from(event).unwrap().sender
    }

    fn ip(address: &str) -> Option<IpAddr> {
        address.parse().ok()
    }

    #[test]
    fn a_payload_2_0_gives_path_and_query_as_they_stand_there_without_the_stage() {
        let event = |stage: &str, path: &str| {
            json!({
                "version": "2.0", "rawPath": path, "rawQueryString": "versionId=a%2Fb", "headers": {"host": "x"},
                "requestContext": {"stage": stage, "http": {"method": "GET", "path": path, "sourceIp": "10.1.2.3"}},
                "isBase64Encoded": false
            })
        };
        let got = request(event("$default", "/_/metrics//a%2Fb"));
        assert_eq!((got.method.as_str(), got.target.as_str()), ("GET", "/_/metrics//a%2Fb?versionId=a%2Fb"));
        let sender = sender(event("$default", "/"));
        assert_eq!((sender.client, sender.hosts), (ip("10.1.2.3"), vec!["x".to_owned()]));
        assert_eq!(request(event("prod", "/prod/metrics")).path(), "/metrics");
        assert_eq!(request(event("prod", "/production/metrics")).path(), "/production/metrics");
    }

    #[test]
    fn a_payload_1_0_has_its_decoded_query_encoded_again() {
        let event = json!({
            "version": "1.0", "httpMethod": "post", "path": "/a", "queryStringParameters": {"k": "b"},
            "multiValueQueryStringParameters": {"k": ["a b&c", "ü"]}, "headers": null, "multiValueHeaders": null,
            "requestContext": {"stage": "prod", "identity": {"sourceIp": "::1"}}, "body": "aGk=", "isBase64Encoded": true
        });
        let got = request(event.clone());
        assert_eq!((got.method.as_str(), got.target.as_str()), ("POST", "/a?k=a%20b%26c&k=%C3%BC"));
        assert_eq!((sender(event).client, &got.body[..]), (ip("::1"), &b"hi"[..]));
    }

    #[test]
    fn a_load_balancer_has_its_query_as_it_was_sent_and_the_client_last_in_a_header() {
        for (forwarded, client) in [("1.1.1.1, 10.0.0.9", "10.0.0.9"), ("10.0.0.9:4711", "10.0.0.9")] {
            let event = json!({
                "requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "GET", "path": "/a%2Fb",
                "queryStringParameters": {"versionId": "x%2Fy"}, "headers": {"X-Forwarded-For": forwarded}, "body": ""
            });
            let target = request(event.clone()).target;
            assert_eq!((target.as_str(), sender(event).client), ("/a%2Fb?versionId=x%2Fy", ip(client)));
        }
    }

    #[test]
    fn an_event_tells_what_its_headers_say_of_the_sender_however_they_are_written() {
        let one = json!({"Host": "h", "ORIGIN": "http://o", "authorization": "Bearer t"});
        let several = json!({"host": ["h"], "origin": ["http://o"], "Authorization": ["Bearer t"]});
        let expected = Sender {
            hosts: vec!["h".into()],
            origin: Some("http://o".into()),
            authorization: Some(Secret::new("Bearer t")),
            client: None,
        };
        for (field, headers) in [("headers", one), ("multiValueHeaders", several)] {
            assert_eq!(sender(json!({"httpMethod": "GET", "path": "/", field: headers})), expected);
        }
    }

    #[test]
    fn an_answer_has_the_headers_in_the_form_of_the_event() {
        let event = |headers: &str| {
            HttpEvent::try_from(json!({"httpMethod": "GET", "path": "/", headers: {}, "requestContext": {"elb": {}}}))
                .unwrap()
        };
        let response = || HttpResponse {
            status: 503,
            headers: vec![("content-type".into(), "text/plain".into())],
            body: "down".into(),
        };
        let written = |event: HttpEvent, response| serde_json::to_value(event.answer(response)).unwrap();
        assert_eq!(
            written(event("headers"), response()),
            json!({"statusCode": 503, "headers": {"content-type": "text/plain"}, "body": "down", "isBase64Encoded": false})
        );
        let lists =
            written(event("multiValueHeaders"), HttpResponse { body: Bytes::from_static(b"\xff"), ..response() });
        assert_eq!(lists["multiValueHeaders"], json!({"content-type": ["text/plain"]}));
        assert_eq!(
            (&lists["body"], &lists["isBase64Encoded"], &lists["headers"]),
            (&json!("/w=="), &json!(true), &Value::Null)
        );
    }

    #[test]
    fn what_is_no_http_event_is_told() {
        let refusal = |payload: Value| HttpEvent::try_from(payload).unwrap_err().to_string();
        assert!(refusal(json!({})).starts_with("it has no method"));
        assert!(refusal(json!({"httpMethod": "GET"})).starts_with("it has no path"));
        assert!(refusal(json!({"httpMethod": 7})).starts_with("invalid type: integer `7`"));
        assert!(refusal(json!("x")).contains("api gateway, a function url or a load balancer"));
        assert!(
            refusal(json!({"httpMethod": "GET", "path": "/", "body": "!", "isBase64Encoded": true})).contains("base64")
        );
    }
}
