//! The SDK's client for a store, made from its settings. No request is made here.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, ConfigLoader, Region, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_s3::{
    Client,
    config::{Credentials, RequestChecksumCalculation, ResponseChecksumValidation},
};
use aws_smithy_http_client::tls::{self, TlsContext, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::{clock::StoreClock, fault::Place};
use crate::{
    adapters::trust::trusting,
    config::storage::{EndpointUrl, StorageSettings},
    ports::objects::ObjectsError,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(3_500);
const OPERATION_TIMEOUT: Duration = Duration::from_millis(8_500);
const ATTEMPTS_MAX: u32 = 3;
/// The slowest transfer that is waited for. One that stands still is ended sooner by the SDK's protection against it.
const BYTES_PER_S_MIN: u64 = 512 * 1024;
/// Servers other than AWS mostly take any region, and this one is what S3 began with.
const REGION_OF_OTHER_SERVERS: &str = "us-east-1";

/// The limits of a request that carries `body_bytes`: an unreachable store is told within ten seconds, and a large body
/// has the time it needs.
pub(super) fn timeouts(body_bytes: u64) -> TimeoutConfig {
    let transfer = Duration::from_secs(body_bytes / BYTES_PER_S_MIN);
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT + transfer)
        .operation_timeout(OPERATION_TIMEOUT + 2 * transfer)
        .build()
}

/// An HTTP client with rustls and ring, that trusts the platform's authorities.
pub(crate) fn http_client() -> SharedHttpClient {
    http_client_trusting(TlsContext::default())
}

fn http_client_trusting(trust: TlsContext) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    builder.tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).tls_context(trust).build_https()
}

/// The client, the place that its errors speak of, and what its answers tell of the store's clock. `section` is the settings' name, as in `storage`.
pub(super) async fn connect(
    section: &str,
    settings: &StorageSettings,
) -> Result<(Client, Place, StoreClock), ObjectsError> {
    let credentials = static_credentials(section, settings)?;
    let trust = trusting(&format!("{section}.ca_file"), settings.ca_file.as_deref());
    let trust = trust.map_err(|error| refused(settings, error.to_string()))?;
    // All else that speaks HTTPS are the services that give credentials. Reading the platform's authorities takes a tenth of a start.
    let speaks_tls = credentials.is_none() || settings.endpoint_url.as_ref().is_none_or(EndpointUrl::is_https);
    let http =
        if speaks_tls { http_client_trusting(trust) } else { aws_smithy_http_client::Builder::new().build_http() };
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(
            RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX).with_initial_backoff(Duration::from_millis(200)),
        )
        .timeout_config(timeouts(0));
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials);
    }
    let shared = with_region(loader, settings).load().await;
    let Some(region) = shared.region().map(ToString::to_string) else {
        let message = format!("the region of {} is not known: set {section}.region, or AWS_REGION", settings.url);
        return Err(refused(settings, message));
    };
    let clock = StoreClock::default();
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(settings.is_path_style())
        .interceptor(clock.clone());
    if !settings.checksum_headers {
        config = config
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    if let Some(endpoint_url) = &settings.endpoint_url {
        config = config.endpoint_url(endpoint_url.to_string());
    }
    let place = Place {
        section: section.to_owned(),
        url: settings.url.clone(),
        endpoint_url: settings.endpoint_url.clone(),
        region,
        access_key_id: settings.access_key_id.clone(),
    };
    Ok((Client::from_conf(config.build()), place, clock))
}

fn with_region(loader: ConfigLoader, settings: &StorageSettings) -> ConfigLoader {
    match (&settings.region, &settings.endpoint_url) {
        (Some(region), _) => loader.region(Region::new(region.clone())),
        // The SDK's whole chain would ask the machine's metadata service, which outside AWS takes seconds to be missed.
        (None, Some(_)) => loader.region(
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(REGION_OF_OTHER_SERVERS),
        ),
        (None, None) => loader,
    }
}

fn static_credentials(section: &str, settings: &StorageSettings) -> Result<Option<Credentials>, ObjectsError> {
    match (&settings.access_key_id, &settings.secret_access_key) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(Credentials::new(id, secret.reveal(), None, None, "highwater settings"))),
        (Some(id), None) => Err(refused(
            settings,
            format!("{section}.access_key_id is {id}, and {section}.secret_access_key is not set: set both or neither"),
        )),
        (None, Some(_)) => Err(refused(
            settings,
            format!("{section}.secret_access_key is set, and {section}.access_key_id is not: set both or neither"),
        )),
    }
}

fn refused(settings: &StorageSettings, message: String) -> ObjectsError {
    ObjectsError::Refused { operation: "connect to", key: settings.url.to_string(), message, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreachable_store_is_told_within_ten_seconds_and_a_segment_has_time_to_arrive() {
        assert!(timeouts(0).operation_timeout().unwrap() < Duration::from_secs(10));
        assert!(timeouts(64 << 20).operation_attempt_timeout().unwrap() > Duration::from_secs(60));
    }

    #[tokio::test]
    async fn half_a_pair_of_keys_is_refused_without_showing_the_secret() {
        let mut settings = StorageSettings::new("s3://bucket".parse().unwrap());
        settings.secret_access_key = Some(crate::config::secret::Secret::new("hunter2"));
        let refusal = connect("storage", &settings).await.unwrap_err().to_string();
        assert!(
            refusal.contains("storage.access_key_id is not: set both or neither") && !refusal.contains("hunter2"),
            "{refusal}"
        );
    }
}
