//! A real S3 server that is not ours: Versity's gateway. It checks a condition and then renames, so it serves where one
//! process writes a key; races need the embedded server.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region, SharedHttpClient, retry::RetryConfig},
};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use shared::config::{secret::Secret, storage::StorageSettings};
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _,
    core::{IntoContainerPort as _, WaitFor},
};

use crate::{
    backend::{self, Shared},
    certificates::Certificates,
    eventually::eventually,
};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// The region that clients of the server name.
pub const REGION: &str = "us-east-1";
/// The access key of the server's owner.
pub const ACCESS_KEY: &str = "highwater";
/// The secret that belongs to it.
pub const SECRET_KEY: &str = "highwater-secret";

const SERVER_PEM: &str = "/tmp/server.pem";
const SERVER_KEY: &str = "/tmp/server.key";

/// An S3 server in a container.
pub struct S3Server {
    container: ContainerAsync<GenericImage>,
    endpoint_url: String,
    certificates: Option<Certificates>,
}

impl S3Server {
    /// The server that all tests share.
    pub async fn shared() -> &'static S3Server {
        static SHARED: Shared<S3Server> = Shared::const_new();
        SHARED.get_or_init(S3Server::start).await
    }

    /// A server of one's own, for a test that pauses it; it goes when dropped.
    pub async fn start() -> S3Server {
        Self::start_with(None).await
    }

    /// A server that speaks TLS, with a certificate from an authority that no platform knows.
    pub async fn secured() -> &'static S3Server {
        static SHARED: Shared<S3Server> = Shared::const_new();
        SHARED.get_or_init(|| S3Server::start_with(Some(Certificates::new()))).await
    }

    async fn start_with(certificates: Option<Certificates>) -> S3Server {
        let (name, tag) = backend::image("versitygw");
        let image = GenericImage::new(name, tag)
            .with_exposed_port(7070.tcp())
            .with_wait_for(WaitFor::message_on_stdout("http"));
        let mut request = image.with_env_var("ROOT_ACCESS_KEY", ACCESS_KEY).with_env_var("ROOT_SECRET_KEY", SECRET_KEY);
        let (mut scheme, mut arguments) = ("http", vec!["--port", ":7070", "--keep-alive"]);
        if let Some(Certificates { server, server_key, .. }) = &certificates {
            request = request
                .with_copy_to(SERVER_PEM, server.clone().into_bytes())
                .with_copy_to(SERVER_KEY, server_key.clone().into_bytes());
            (scheme, arguments) = ("https", [&arguments[..], &["--cert", SERVER_PEM, "--key", SERVER_KEY]].concat());
        }
        // Without the option an object that is replaced is listed under another name for a moment, beside its own.
        let storage = ["posix", "--disableotmp", "/tmp"];
        let container = backend::start(request.with_cmd([&arguments[..], &storage].concat())).await;
        let port = container.get_host_port_ipv4(7070.tcp()).await.expect("the S3 server's port is published");
        let server = S3Server { container, endpoint_url: format!("{scheme}://127.0.0.1:{port}"), certificates };
        // It says where it listens before it does.
        eventually("the S3 server to answer", READY_WITHIN, || async {
            server.client().list_buckets().send().await.map(drop).map_err(|error| format!("{error:?}"))
        })
        .await;
        server
    }

    /// Where it is, as `http://host:port`.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// The environment that makes the AWS SDK and CLI of a child process its client.
    pub fn environment(&self) -> [(&'static str, &str); 3] {
        [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY), ("AWS_REGION", REGION)]
    }

    /// The settings of a storage at `url` (`s3://bucket/prefix`).
    pub fn storage(&self, url: &str) -> StorageSettings {
        StorageSettings {
            endpoint_url: Some(self.endpoint_url().parse().expect("an endpoint")),
            region: Some(REGION.to_owned()),
            access_key_id: Some(ACCESS_KEY.to_owned()),
            secret_access_key: Some(Secret::new(SECRET_KEY)),
            ca_file: self.ca_file(),
            ..StorageSettings::new(url.parse().expect("a url"))
        }
    }

    fn ca_file(&self) -> Option<PathBuf> {
        self.certificates.as_ref().map(|certificates| certificates.folder.path().join("authority.pem"))
    }

    fn http_client(&self) -> SharedHttpClient {
        let builder = aws_smithy_http_client::Builder::new();
        let Some(Certificates { authority, .. }) = &self.certificates else { return builder.build_http() };
        let store = TrustStore::empty().with_pem_certificate(authority.as_str());
        let context = TlsContext::builder().with_trust_store(store).build().expect("a context");
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https()
    }

    /// A client that tries once.
    pub fn client(&self) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http_client())
            .endpoint_url(&self.endpoint_url)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "integration tests"))
            .retry_config(RetryConfig::disabled())
            .force_path_style(true);
        Client::from_conf(config.build())
    }

    /// Creates a bucket whose name begins with `base` and is nobody else's, and gives the name.
    pub async fn new_bucket(&self, base: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("{base}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let created = self.client().create_bucket().bucket(&name).send().await;
        created.unwrap_or_else(|error| panic!("cannot create bucket {name}: {error:?}"));
        name
    }

    /// The server answers nothing until [`S3Server::unpause`]. Only for a server of one's own.
    pub fn pause(&self) {
        backend::pause(&self.container);
    }

    /// The server answers again.
    pub fn unpause(&self) {
        backend::resume(&self.container);
    }
}
