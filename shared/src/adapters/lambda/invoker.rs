//! One function calling another through Lambda's Invoke API: one signed request, no generated client.

use std::time::Duration;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::invoke_answer::Answer;
use crate::{
    adapters::aws_api::{self, AwsApi},
    config::storage::EndpointUrl,
    ports::{
        clock::Clock,
        invoker::{InvokeError, Invoker},
    },
};

/// A function runs for 15 minutes at most.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(910);
/// What a function's name or ARN is made of.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
const SERVICE: &str = "lambda";
const HEADERS: [(&str, &str); 2] = [("content-type", "application/json"), ("x-amz-invocation-type", "RequestResponse")];

/// Invokes functions that are deployed on AWS Lambda, or hosted by something that speaks its API.
pub struct LambdaInvoker<C> {
    api: AwsApi,
    endpoint: String,
    name_prefix: String,
    clock: C,
}

impl<C: Clock> LambdaInvoker<C> {
    /// An invoker with the AWS SDK's own credentials and region. Functions are deployed as `<name_prefix><function>`;
    /// `endpoint_url` is for an Invoke API other than AWS's; one on the loopback needs no credentials. No request is
    /// made yet.
    ///
    /// # Errors
    /// Refused when no region or no source of credentials is found.
    pub async fn connect(name_prefix: &str, endpoint_url: Option<&EndpointUrl>, clock: C) -> Result<Self, InvokeError> {
        let api = match endpoint_url {
            Some(url) if url.is_loopback() => AwsApi::local(SERVICE, ANSWER_TIMEOUT),
            _ => {
                AwsApi::of_environment(SERVICE, None, ANSWER_TIMEOUT).await.map_err(|missing| InvokeError::Refused {
                    function: format!("{name_prefix}*"),
                    message: format!("set {missing}, or an AWS profile or role"),
                })?
            }
        };
        let aws = || aws_api::endpoint(SERVICE, api.region());
        let endpoint = endpoint_url.map_or_else(aws, ToString::to_string);
        Ok(LambdaInvoker { api, endpoint, name_prefix: name_prefix.to_owned(), clock })
    }
}

#[async_trait]
impl<C: Clock> Invoker for LambdaInvoker<C> {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError> {
        let name = format!("{}{function}", self.name_prefix);
        let url = format!("{}/2015-03-31/functions/{}/invocations", self.endpoint, utf8_percent_encode(&name, NAME));
        let body = payload.to_string().into_bytes();
        let called = self.api.post(&url, &HEADERS, body, self.clock.now()).await;
        let unreachable = |error| InvokeError::Unreachable { function: function.to_owned(), source: Box::new(error) };
        let answer = called.map_err(unreachable)?;
        let function_error = answer.headers.get("x-amz-function-error");
        Answer { status: answer.status, function_error, body: &answer.body }.outcome(function)
    }
}
