//! The brokers of an Amazon MSK cluster, by its ARN.

use aws_config::{BehaviorVersion, Region, timeout::TimeoutConfig};
use aws_sdk_kafka::{
    Client, error::DisplayErrorContext, operation::get_bootstrap_brokers::GetBootstrapBrokersOutput as Brokers,
};

use crate::{
    adapters::s3::http_client,
    config::kafka::{KafkaSettings, SaslMechanism, SecurityProtocol},
    ports::records::RecordsError,
};

const OPERATION: &str = "look up the brokers of an MSK cluster";

/// The brokers of the cluster `arn` that speak `protocol`, as `host:port,host:port`. Region and credentials: the region
/// in the ARN, and the AWS SDK's usual chain.
pub(super) async fn bootstrap_servers(arn: &str, settings: &KafkaSettings) -> Result<String, RecordsError> {
    let region = region_of(arn).ok_or_else(|| {
        let message = format!(
            "kafka.msk_cluster_arn = {arn:?} is no cluster's ARN: it looks like \
             arn:aws:kafka:eu-west-1:123456789012:cluster/name/uuid-1"
        );
        RecordsError::Refused { operation: OPERATION, message }
    })?;
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(TimeoutConfig::builder().operation_timeout(settings.request_timeout.0).build())
        .region(Region::new(region.to_owned()));
    look_up(&Client::new(&config.load().await), arn, settings.security_protocol, settings.sasl_mechanism).await
}

async fn look_up(
    client: &Client,
    arn: &str,
    protocol: SecurityProtocol,
    mechanism: Option<SaslMechanism>,
) -> Result<String, RecordsError> {
    let answer = client.get_bootstrap_brokers().cluster_arn(arn).send().await;
    let brokers = answer.map_err(|error| failed(arn, &error))?;
    fitting(&brokers, protocol, mechanism).map(str::to_owned).ok_or_else(|| {
        let message = format!(
            "MSK cluster {arn} has no brokers for kafka.security_protocol = {:?}: set another, or allow it in the cluster",
            protocol.name()
        );
        RecordsError::Refused { operation: OPERATION, message }
    })
}

/// Inside the cluster's network first, then from another one, then from the internet.
fn fitting(brokers: &Brokers, protocol: SecurityProtocol, mechanism: Option<SaslMechanism>) -> Option<&str> {
    let candidates = match protocol {
        SecurityProtocol::Plaintext => {
            [brokers.bootstrap_broker_string(), brokers.bootstrap_broker_string_ipv6(), None]
        }
        SecurityProtocol::Ssl => [
            brokers.bootstrap_broker_string_tls(),
            brokers.bootstrap_broker_string_vpc_connectivity_tls(),
            brokers.bootstrap_broker_string_public_tls(),
        ],
        SecurityProtocol::SaslSsl if mechanism == Some(SaslMechanism::AwsMskIam) => [
            brokers.bootstrap_broker_string_sasl_iam(),
            brokers.bootstrap_broker_string_vpc_connectivity_sasl_iam(),
            brokers.bootstrap_broker_string_public_sasl_iam(),
        ],
        SecurityProtocol::SaslSsl => [
            brokers.bootstrap_broker_string_sasl_scram(),
            brokers.bootstrap_broker_string_vpc_connectivity_sasl_scram(),
            brokers.bootstrap_broker_string_public_sasl_scram(),
        ],
        // MSK has no login without encryption.
        SecurityProtocol::SaslPlaintext => [None; 3],
    };
    candidates.into_iter().flatten().find(|servers| !servers.is_empty())
}

pub(super) fn region_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts[..] {
        ["arn", _, "kafka", region, _, resource] if !region.is_empty() && resource.starts_with("cluster/") => {
            Some(region)
        }
        _ => None,
    }
}

type CallError =
    aws_sdk_kafka::error::SdkError<aws_sdk_kafka::operation::get_bootstrap_brokers::GetBootstrapBrokersError>;

fn failed(arn: &str, error: &CallError) -> RecordsError {
    let message = format!("cluster {arn}: {}", DisplayErrorContext(error));
    let status = error.raw_response().map(|response| response.status().as_u16());
    let passing = status.is_none_or(|status| status == 429 || status >= 500);
    if passing {
        RecordsError::Unavailable { operation: OPERATION, bootstrap_servers: "the MSK API".to_owned(), message }
    } else {
        let remedy = "check kafka.msk_cluster_arn, and that the role may call kafka:GetBootstrapBrokers";
        RecordsError::Refused { operation: OPERATION, message: format!("{message}; {remedy}") }
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    const ARN: &str = "arn:aws:kafka:eu-west-1:123456789012:cluster/orders/6a1d-5";

    /// Answers one request with this status and body.
    async fn endpoint(status: &'static str, body: &'static str) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 16_384];
            let length = stream.read(&mut request).await.unwrap();
            let path = "/v1/clusters/arn%3Aaws%3Akafka%3Aeu-west-1%3A123456789012%3Acluster%2Forders%2F6a1d-5/bootstrap-brokers";
            assert!(String::from_utf8_lossy(&request[..length]).starts_with(&format!("GET {path} ")));
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        });
        let config = aws_sdk_kafka::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("a", "b", None, None, "test"))
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .endpoint_url(url);
        Client::from_conf(config.build())
    }

    #[tokio::test]
    async fn the_brokers_that_speak_the_security_protocol_are_taken() {
        let body = r#"{"bootstrapBrokerString":"p:9092","bootstrapBrokerStringTls":"t:9094","bootstrapBrokerStringSaslScram":"s:9096","bootstrapBrokerStringSaslIam":"i:9098"}"#;
        for (protocol, mechanism, servers) in [
            (SecurityProtocol::Plaintext, None, "p:9092"),
            (SecurityProtocol::Ssl, None, "t:9094"),
            (SecurityProtocol::SaslSsl, Some(SaslMechanism::ScramSha512), "s:9096"),
            (SecurityProtocol::SaslSsl, Some(SaslMechanism::AwsMskIam), "i:9098"),
        ] {
            assert_eq!(look_up(&endpoint("200 OK", body).await, ARN, protocol, mechanism).await.unwrap(), servers);
        }
    }

    #[tokio::test]
    async fn a_cluster_without_fitting_brokers_is_refused_by_the_settings_name() {
        let client = endpoint("200 OK", r#"{"bootstrapBrokerStringTls":"t:9094"}"#).await;
        let error = look_up(&client, ARN, SecurityProtocol::Plaintext, None).await.unwrap_err();
        assert!(error.to_string().contains("kafka.security_protocol = \"plaintext\""), "{error}");
    }

    #[tokio::test]
    async fn a_role_that_may_not_ask_is_told() {
        let client = endpoint("403 Forbidden", r#"{"__type":"ForbiddenException","message":"no"}"#).await;
        let error = look_up(&client, ARN, SecurityProtocol::Ssl, None).await.unwrap_err();
        assert!(!error.retry() && error.to_string().contains("kafka:GetBootstrapBrokers"), "{error}");
    }

    #[test]
    fn the_region_is_in_the_arn() {
        assert_eq!(region_of(ARN), Some("eu-west-1"));
        assert_eq!(region_of("arn:aws:s3:::bucket"), None);
        assert_eq!(region_of("orders"), None);
    }
}
