//! Calls of an AWS API that needs no generated client: a signed POST and its answer.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider, error::CredentialsError},
};
use aws_sdk_s3::primitives::SdkBody;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use tokio::sync::Mutex;

use super::{
    http_client::{Answer, BoxError, HttpClient},
    s3::http_client,
};
use crate::record::Millis;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Credentials are renewed so long before they expire.
const RENEW_BEFORE_MS: i64 = 300_000;
/// An API on this machine asks for a signature and checks none.
const LOCAL: &str = "local";
const LOCAL_REGION: &str = "us-east-1";

/// Signs and sends requests to one service, which answers within that time.
pub(super) struct AwsApi {
    client: HttpClient,
    within: Duration,
    service: &'static str,
    region: Region,
    provider: SharedCredentialsProvider,
    credentials: Mutex<Option<Credentials>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("there are no credentials to sign with")]
    Credentials(#[from] CredentialsError),
    #[error("the request cannot be signed")]
    Sign(#[source] BoxError),
    #[error("{url} does not answer")]
    Unanswered {
        url: String,
        #[source]
        source: BoxError,
    },
    #[error("{url} gave no answer within {} s", within.as_secs())]
    TooLate { url: String, within: Duration },
}

/// Where a service of a region is. The regions of China have a domain of their own.
pub(super) fn endpoint(service: &str, region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{domain}")
}

impl AwsApi {
    /// A service on this machine: it is called without credentials.
    pub(super) fn local(service: &'static str, within: Duration) -> Self {
        let key = Credentials::new(LOCAL, LOCAL, None, None, LOCAL);
        AwsApi::new(service, Region::new(LOCAL_REGION), SharedCredentialsProvider::new(key), within)
    }

    /// A service of AWS, by the AWS SDK's own credentials and, unless it is given, region. No request is made yet.
    ///
    /// # Errors
    /// What is missing in the environment.
    pub(super) async fn of_environment(
        service: &'static str,
        region: Option<&str>,
        within: Duration,
    ) -> Result<Self, &'static str> {
        let (region, provider) = environment(region).await?;
        Ok(AwsApi::new(service, region, provider, within))
    }

    fn new(service: &'static str, region: Region, provider: SharedCredentialsProvider, within: Duration) -> Self {
        let client = HttpClient::new(CONNECT_TIMEOUT, within);
        AwsApi { client, within, service, region, provider, credentials: Mutex::default() }
    }

    /// The region that is signed for.
    pub(super) fn region(&self) -> &str {
        self.region.as_ref()
    }

    /// Sends a body to a URL, signed at `now`, and gives the answer, whatever its status.
    pub(super) async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, &'static str)],
        body: Vec<u8>,
        now: Millis,
    ) -> Result<Answer, CallError> {
        let request = self.signed(url, headers, body, now).await?;
        let answered = tokio::time::timeout(self.within, self.client.exchange(request)).await;
        let answered = answered.map_err(|_| CallError::TooLate { url: url.to_owned(), within: self.within })?;
        answered.map_err(|source| CallError::Unanswered { url: url.to_owned(), source })
    }

    /// Credentials that hold for a while.
    async fn credentials(&self, now: Millis) -> Result<Credentials, CredentialsError> {
        let mut held = self.credentials.lock().await;
        let until = UNIX_EPOCH + Duration::from_millis((now.0 + RENEW_BEFORE_MS).unsigned_abs());
        let lasting = held.take().filter(|held| held.expiry().is_none_or(|expiry| expiry > until));
        let credentials = match lasting {
            Some(credentials) => credentials,
            None => self.provider.provide_credentials().await?,
        };
        Ok(held.insert(credentials).clone())
    }

    async fn signed(
        &self,
        url: &str,
        headers: &[(&'static str, &'static str)],
        body: Vec<u8>,
        now: Millis,
    ) -> Result<HttpRequest, CallError> {
        let identity = self.credentials(now).await?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_ref())
            .name(self.service)
            .time(UNIX_EPOCH + Duration::from_millis(now.0.unsigned_abs()))
            .settings(SigningSettings::default())
            .build()
            .map_err(sign_error)?
            .into();
        let signable = SignableRequest::new("POST", url, headers.iter().copied(), SignableBody::Bytes(&body));
        let (instructions, _) = sign(signable.map_err(sign_error)?, &params).map_err(sign_error)?.into_parts();
        let mut request = http::Request::post(url).body(()).map_err(sign_error)?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, http::HeaderValue::from_static(value));
        }
        instructions.apply_to_request_http1x(&mut request);
        HttpRequest::try_from(request.map(|()| SdkBody::from(body))).map_err(sign_error)
    }
}

/// The region, unless it is given, and the credentials that the AWS SDK finds. The error is what is missing.
pub(super) async fn environment(region: Option<&str>) -> Result<(Region, SharedCredentialsProvider), &'static str> {
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client()).load().await;
    let region = region.map(|region| Region::new(region.to_owned())).or(config.region().cloned());
    let region = region.ok_or("AWS_REGION")?;
    let provider = config.credentials_provider().ok_or("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")?;
    Ok((region, provider))
}

fn sign_error(error: impl Into<BoxError>) -> CallError {
    CallError::Sign(error.into())
}
