//! One function calling another through Lambda's Invoke API: one signed request, no generated client.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider, error::CredentialsError},
};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_http_client::{
    Connector,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector as _, HttpConnectorSettings},
        orchestrator::HttpRequest,
    },
    http::Response,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::Mutex;

use super::invoke_answer::Answer;
use crate::{
    adapters::s3::http_client,
    config::storage::EndpointUrl,
    ports::{
        clock::Clock,
        invoker::{InvokeError, Invoker},
    },
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A function runs for 15 minutes at most.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(910);
/// Credentials are renewed so long before they expire.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// What a function's name or ARN is made of.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
const SERVICE: &str = "lambda";
/// An Invoke API on this machine asks for a signature and checks none.
const LOCAL_REGION: &str = "us-east-1";
const LOCAL_KEY: &str = "local";

/// Invokes functions that are deployed on AWS Lambda, or hosted by something that speaks its API.
pub struct LambdaInvoker<C> {
    connector: Connector,
    region: Region,
    endpoint: String,
    name_prefix: String,
    provider: SharedCredentialsProvider,
    credentials: Mutex<Option<Credentials>>,
    clock: C,
}

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("there are no credentials to sign with")]
    Credentials(#[from] CredentialsError),
    #[error("the request cannot be signed")]
    Sign(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{endpoint} does not answer")]
    Unanswered {
        endpoint: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{endpoint} gave no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    TooLate { endpoint: String },
}

impl<C: Clock> LambdaInvoker<C> {
    /// An invoker with the AWS SDK's own credentials and region. Functions are deployed as `<name_prefix><function>`;
    /// `endpoint_url` is for an Invoke API other than AWS's; one on the loopback needs no credentials. No request is
    /// made yet.
    ///
    /// # Errors
    /// Refused when no region or no source of credentials is found.
    pub async fn connect(name_prefix: &str, endpoint_url: Option<&EndpointUrl>, clock: C) -> Result<Self, InvokeError> {
        let (region, provider) = match endpoint_url {
            Some(url) if url.is_loopback() => {
                let key = Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, LOCAL_KEY);
                (Region::new(LOCAL_REGION), SharedCredentialsProvider::new(key))
            }
            _ => from_environment(name_prefix).await?,
        };
        let aws = || format!("https://lambda.{region}.amazonaws.com");
        let endpoint = endpoint_url.map_or_else(aws, ToString::to_string);
        let (connector, name_prefix) = (connector(), name_prefix.to_owned());
        Ok(LambdaInvoker { connector, region, endpoint, name_prefix, provider, credentials: Mutex::default(), clock })
    }

    async fn call(&self, function: &str, body: Vec<u8>) -> Result<(Response, Vec<u8>), CallError> {
        let request = self.signed(function, body).await?;
        let unanswered = |source: Box<dyn std::error::Error + Send + Sync>| CallError::Unanswered {
            endpoint: self.endpoint.clone(),
            source,
        };
        let mut response = self.connector.call(request).await.map_err(|error| unanswered(error.into()))?;
        let body = ByteStream::new(response.take_body()).collect().await.map_err(|error| unanswered(error.into()))?;
        Ok((response, body.to_vec()))
    }

    /// Credentials that hold for a while.
    async fn credentials(&self, now: SystemTime) -> Result<Credentials, CredentialsError> {
        let mut held = self.credentials.lock().await;
        let lasting = held.take().filter(|held| held.expiry().is_none_or(|expiry| expiry > now + RENEW_BEFORE));
        let credentials = match lasting {
            Some(credentials) => credentials,
            None => self.provider.provide_credentials().await?,
        };
        Ok(held.insert(credentials).clone())
    }

    async fn signed(&self, function: &str, body: Vec<u8>) -> Result<HttpRequest, CallError> {
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(self.clock.now().0).unwrap_or_default());
        let identity = self.credentials(now).await?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_ref())
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(sign_error)?
            .into();
        let name = format!("{}{function}", self.name_prefix);
        let uri = format!("{}/2015-03-31/functions/{}/invocations", self.endpoint, utf8_percent_encode(&name, NAME));
        let headers = [("content-type", "application/json"), ("x-amz-invocation-type", "RequestResponse")];
        let signable =
            SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(&body)).map_err(sign_error)?;
        let (instructions, _) = sign(signable, &params).map_err(sign_error)?.into_parts();
        let mut request = http::Request::post(&uri).body(()).map_err(sign_error)?;
        for (name, value) in headers {
            request.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
        instructions.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request.map(|()| SdkBody::from(body))).map_err(sign_error)
    }
}

#[async_trait]
impl<C: Clock> Invoker for LambdaInvoker<C> {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError> {
        let called = tokio::time::timeout(ANSWER_TIMEOUT, self.call(function, payload.to_string().into_bytes())).await;
        let called = called.unwrap_or_else(|_| Err(CallError::TooLate { endpoint: self.endpoint.clone() }));
        let unreachable = |error| InvokeError::Unreachable { function: function.to_owned(), source: Box::new(error) };
        let (response, body) = called.map_err(unreachable)?;
        let function_error = response.headers().get("x-amz-function-error");
        Answer { status: response.status().as_u16(), function_error, body: &body }.outcome(function)
    }
}

async fn from_environment(name_prefix: &str) -> Result<(Region, SharedCredentialsProvider), InvokeError> {
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client()).load().await;
    match (config.region().cloned(), config.credentials_provider()) {
        (Some(region), Some(provider)) => Ok((region, provider)),
        (region, _) => {
            let missing = if region.is_none() { "AWS_REGION" } else { "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" };
            let message = format!("set {missing}, or an AWS profile or role");
            Err(InvokeError::Refused { function: format!("{name_prefix}*"), message })
        }
    }
}

fn sign_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallError {
    CallError::Sign(error.into())
}

fn connector() -> Connector {
    Connector::builder()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .build()
}
