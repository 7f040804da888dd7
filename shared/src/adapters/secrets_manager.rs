//! Secrets in AWS Secrets Manager, by ARN.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{
    aws_api::{self, AwsApi},
    system_clock::SystemClock,
};
use crate::ports::clock::Clock as _;

const SERVICE: &str = "secretsmanager";
const WITHIN: Duration = Duration::from_secs(5);
/// The AWS SDK's own variable for another endpoint.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
const HEADERS: [(&str, &str); 2] =
    [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue")];
const OK: u16 = 200;

/// The ARN of a secret, and the field to take where its text is a JSON object: `arn:aws:secretsmanager:...#password`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SecretArn<'a> {
    arn: &'a str,
    region: &'a str,
    field: Option<&'a str>,
}

impl<'a> SecretArn<'a> {
    /// Reads it; `None` for anything else, as the path of a file.
    pub(super) fn parse(place: &'a str) -> Option<Self> {
        let (arn, field) = place.split_once('#').map_or((place, None), |(arn, field)| (arn, Some(field)));
        match arn.split(':').collect::<Vec<_>>()[..] {
            ["arn", _, SERVICE, region, _, "secret", _] => Some(SecretArn { arn, region, field }),
            _ => None,
        }
    }
}

/// Asks for a secret, whose current version is answered.
///
/// # Errors
/// Why there is none, and what to do.
pub(super) async fn read(secret: SecretArn<'_>) -> Result<String, String> {
    #[allow(clippy::disallowed_methods, reason = "this adapter reads where the AWS API is")]
    let endpoint = std::env::var(ENDPOINT).ok();
    let api = AwsApi::of_environment(SERVICE, Some(secret.region), WITHIN).await;
    let api = api.map_err(|missing| format!("set {missing}, or an AWS profile or role"))?;
    let url = endpoint.unwrap_or_else(|| format!("{}/", aws_api::endpoint(SERVICE, secret.region)));
    let body = serde_json::json!({"SecretId": secret.arn}).to_string().into_bytes();
    let answer = api.post(&url, &HEADERS, body, SystemClock.now()).await;
    let answer = answer.map_err(|error| crate::function::with_sources(&error))?;
    match answer.status {
        OK => text(&answer.body, secret.field),
        status => Err(refusal(status, &answer.body)),
    }
}

/// The secret in an answer. What is wrong is told without any of it.
fn text(body: &[u8], field: Option<&str>) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        secret_string: Option<String>,
    }
    let answer = serde_json::from_slice::<Answer>(body).map_err(|_| "the answer is not one of Secrets Manager")?;
    let text = answer.secret_string.ok_or("the secret is binary: store a text")?;
    let Some(field) = field else { return Ok(text) };
    let found =
        serde_json::from_str::<Value>(&text).ok().and_then(|object| Some(object.get(field)?.as_str()?.to_owned()));
    found.ok_or_else(|| format!("its text is no JSON object with a text {field:?}"))
}

fn refusal(status: u16, body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let what = format!("{status} {} {}{}", said("__type"), said("Message"), said("message"));
    format!("{}; let the role use secretsmanager:GetSecretValue, and kms:Decrypt on the secret's key", what.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf";

    #[test]
    fn an_arn_is_told_from_a_path_and_may_name_a_field() {
        let whole = SecretArn { arn: ARN, region: "eu-west-1", field: None };
        assert_eq!(SecretArn::parse(ARN), Some(whole));
        let field = format!("{ARN}#password");
        assert_eq!(SecretArn::parse(&field), Some(SecretArn { field: Some("password"), ..whole }));
        assert_eq!(SecretArn::parse("/run/secrets/kafka#1"), None);
        assert_eq!(SecretArn::parse("arn:aws:s3:::bucket"), None);
    }

    #[test]
    fn a_secret_is_its_text_or_a_field_of_it_and_errors_show_neither() {
        let body = br#"{"ARN": "x", "SecretString": "{\"password\": \"hunter2\"}"}"#;
        assert_eq!(text(body, None).unwrap(), r#"{"password": "hunter2"}"#);
        assert_eq!(text(body, Some("password")).unwrap(), "hunter2");
        let wrong = text(body, Some("user")).unwrap_err();
        assert!(wrong.contains("\"user\"") && !wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn a_refusal_says_what_the_role_needs() {
        let said = refusal(400, br#"{"__type":"AccessDeniedException","Message":"no"}"#);
        assert!(
            said.starts_with("400 AccessDeniedException no; let the role use secretsmanager:GetSecretValue"),
            "{said}"
        );
    }
}
