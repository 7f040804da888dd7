//! The tokens with which clients log in by OAUTHBEARER: Amazon MSK's, signed with AWS credentials, or those of an OAuth server.

use std::{
    error::Error,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, UNIX_EPOCH},
};

use aws_config::Region;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::identity::Identity;
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rdkafka::client::OAuthToken;
use serde::Deserialize;
use tokio::runtime::Handle;

use super::msk;
use crate::{
    adapters::{
        aws_api,
        http_client::{BoxError, HttpClient},
        system_clock::SystemClock,
    },
    config::kafka::{KafkaSettings, SaslMechanism},
    ports::clock::Clock as _,
    record::Millis,
};

/// So long a token for MSK holds, which is the longest that its brokers take.
const MSK_TOKEN_LIFETIME: Duration = Duration::from_secs(900);
const MSK_SERVICE: &str = "kafka-cluster";
/// A token of a server that does not say how long it holds.
const LIFETIME_DEFAULT_S: u64 = 300;
/// An answer that carries a token is one of these.
const SUCCESSES: Range<u16> = 200..300;

/// Gives every client of a cluster its token, and asks for a new one when four fifths of its time are over.
pub(super) struct Login {
    source: Source,
    /// The client's threads ask, which belong to no runtime.
    runtime: Handle,
    wait_max: Duration,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: Token,
    renew_at: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    expires_at: Millis,
}

enum Source {
    Msk { region: Region, provider: SharedCredentialsProvider },
    Server { client: HttpClient, url: String, id: String, secret: String, scope: Option<String> },
}

impl Login {
    /// What gives the tokens, where the settings log in by them. Nothing is asked for yet.
    ///
    /// # Errors
    /// When no AWS region or source of credentials is found.
    pub(super) async fn of(settings: &KafkaSettings) -> Result<Option<Arc<Self>>, String> {
        let source = match settings.sasl_mechanism.filter(|_| settings.security_protocol.is_sasl()) {
            Some(SaslMechanism::AwsMskIam) => msk_source(settings).await?,
            Some(SaslMechanism::OauthBearer) => server_source(settings),
            _ => return Ok(None),
        };
        let wait_max = settings.request_timeout.0;
        Ok(Some(Arc::new(Login { source, runtime: Handle::current(), wait_max, held: Mutex::default() })))
    }

    /// A token that holds for a while: the one that is held, or a new one; where none is given, the one that is held as long as it
    /// is good. Waits for that, so it is for the client's threads. A client that is dropped asks once more, on whatever thread
    /// that is: what is held is all that it needs.
    pub(super) fn token(self: &Arc<Self>) -> Result<OAuthToken, Box<dyn Error>> {
        let now = SystemClock.now();
        let held = self.held().as_ref().map(|held| (held.token.clone(), held.renew_at));
        let token = match held {
            Some((token, renew_at)) if now < renew_at => token,
            Some((token, _)) if now < token.expires_at => self.wait_for_new(now).unwrap_or_else(|error| {
                tracing::warn!(
                    error = &*error,
                    "no new token to log in with; the one that is held is good for a while"
                );
                token
            }),
            _ => self.wait_for_new(now)?,
        };
        Ok(OAuthToken { token: token.text, principal_name: "highwater".to_owned(), lifetime_ms: token.expires_at.0 })
    }

    fn wait_for_new(self: &Arc<Self>, now: Millis) -> Result<Token, Box<dyn Error>> {
        let (sender, receiver) = mpsc::channel();
        let login = Arc::clone(self);
        self.runtime.spawn(async move { sender.send(login.source.token(now).await) });
        let given = receiver.recv_timeout(self.wait_max).map_err(|_| "no token to log in with came in time")?;
        let token = given.map_err(|error| -> Box<dyn Error> { error })?;
        let lasts_ms = token.expires_at.0 - now.0;
        *self.held() = Some(Held { token: token.clone(), renew_at: Millis(now.0 + lasts_ms / 5 * 4) });
        Ok(token)
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn msk_source(settings: &KafkaSettings) -> Result<Source, String> {
    let of_cluster = settings.msk_cluster_arn.as_deref().and_then(msk::region_of);
    let found = aws_api::environment(of_cluster).await;
    let (region, provider) = found.map_err(|missing| {
        format!("kafka.sasl_mechanism = \"AWS_MSK_IAM\" needs {missing}: set it, or an AWS profile or role")
    })?;
    Ok(Source::Msk { region, provider })
}

fn server_source(settings: &KafkaSettings) -> Source {
    let within = settings.request_timeout.0;
    Source::Server {
        client: HttpClient::new(within, within),
        url: settings.sasl_oauth_token_url.clone().unwrap_or_default(),
        id: settings.sasl_username.clone().unwrap_or_default(),
        secret: settings.sasl_password.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default(),
        scope: settings.sasl_oauth_scope.clone(),
    }
}

impl Source {
    async fn token(&self, now: Millis) -> Result<Token, BoxError> {
        match self {
            Source::Msk { region, provider } => {
                let identity = provider.provide_credentials().await?.into();
                let text = msk_token(region, &identity, now)?;
                Ok(Token { text, expires_at: later(now, MSK_TOKEN_LIFETIME) })
            }
            Source::Server { client, url, id, secret, scope } => {
                let basic = BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
                let scope = scope.as_ref().map_or_else(String::new, |scope| format!("&scope={}", encoded(scope)));
                let request = http::Request::post(url)
                    .header("authorization", format!("Basic {basic}"))
                    .header("content-type", "application/x-www-form-urlencoded");
                let body = format!("grant_type=client_credentials{scope}");
                let answer = client.send(request, Some(body.into_bytes())).await;
                let answer =
                    answer.map_err(|error| format!("kafka.sasl_oauth_token_url {url} gives no token: {error}"))?;
                if !SUCCESSES.contains(&answer.status) {
                    return Err(format!(
                        "kafka.sasl_oauth_token_url {url} answers {}: {}",
                        answer.status,
                        answer.shown()
                    )
                    .into());
                }
                let given: Given = serde_json::from_slice(&answer.body)
                    .map_err(|error| format!("what kafka.sasl_oauth_token_url {url} answers is no token: {error}"))?;
                let lasts = Duration::from_secs(given.expires_in.unwrap_or(LIFETIME_DEFAULT_S));
                Ok(Token { text: given.access_token, expires_at: later(now, lasts) })
            }
        }
    }
}

/// An OAuth server's answer: RFC 6749, section 5.1.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<u64>,
}

fn later(time: Millis, span: Duration) -> Millis {
    Millis(time.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A URL for `kafka-cluster:Connect` that is signed for 15 minutes, in base64: what MSK's brokers take as a token.
fn msk_token(region: &Region, identity: &Identity, now: Millis) -> Result<String, BoxError> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(MSK_TOKEN_LIFETIME);
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region.as_ref())
        .name(MSK_SERVICE)
        .time(UNIX_EPOCH + Duration::from_millis(now.0.unsigned_abs()))
        .settings(settings)
        .build()?
        .into();
    let url = format!("https://kafka.{region}.amazonaws.com/?Action=kafka-cluster%3AConnect");
    let signable = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &params)?.into_parts();
    let mut request = http::Request::get(&url).body(())?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(BASE64_URL_SAFE_NO_PAD.encode(format!("{}&User-Agent=highwater", request.uri())))
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::*;

    /// What AWS's own signer for Python (aws-msk-iam-sasl-signer-python 1.0.2) signs with these credentials at that time.
    const SIGNATURES: [(Option<&str>, &str); 2] = [
        (None, "02c7cea26862deb6f42d4fa1ce73dd6903b1cd70c7124e4a19b1aeadd0261047"),
        (Some("SESSION/TOKEN+="), "cbd291b8e65f5da2189527dcf7c4b1cd7b872c2f9e244294287e5a0bd0cfef3d"),
    ];

    #[test]
    fn a_token_for_msk_has_the_signature_of_the_signer_that_aws_publishes() {
        let noon = Millis(1_795_780_800_000);
        for (session, signature) in SIGNATURES {
            let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
            let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", key, session.map(str::to_owned), None, "test");
            let token = msk_token(&Region::new("eu-west-1"), &credentials.into(), noon).unwrap();
            let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
            let start = "https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256";
            assert!(url.starts_with(start), "{url}");
            for part in ["X-Amz-Date=20261127T120000Z", "X-Amz-Expires=900", "X-Amz-SignedHeaders=host", "User-Agent="]
            {
                assert!(url.contains(&format!("&{part}")), "{url}");
            }
            assert!(url.contains(&format!("&X-Amz-Signature={signature}")), "{url}");
            assert_eq!(url.contains("&X-Amz-Security-Token=SESSION%2FTOKEN%2B%3D"), session.is_some(), "{url}");
        }
    }
}
