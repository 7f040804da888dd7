//! A real S3 server that is not ours: Versity's gateway. It checks a condition and then renames, so it serves where one
//! process writes a key; races need the embedded server.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region, retry::RetryConfig},
};
use shared::config::{secret::Secret, storage::StorageSettings};
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _,
    core::{IntoContainerPort as _, WaitFor},
};

use crate::{
    backend::{self, Shared},
    eventually::eventually,
};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// The region that clients of the server name.
pub const REGION: &str = "us-east-1";
/// The access key of the server's owner.
pub const ACCESS_KEY: &str = "highwater";
/// The secret that belongs to it.
pub const SECRET_KEY: &str = "highwater-secret";

/// An S3 server in a container.
pub struct S3Server {
    container: ContainerAsync<GenericImage>,
    endpoint_url: String,
}

impl S3Server {
    /// The server that all tests share.
    pub async fn shared() -> &'static S3Server {
        static SHARED: Shared<S3Server> = Shared::const_new();
        SHARED.get_or_init(S3Server::start).await
    }

    /// A server of one's own, for a test that pauses it; it goes when dropped.
    pub async fn start() -> S3Server {
        let (name, tag) = backend::image("versitygw");
        let image = GenericImage::new(name, tag)
            .with_exposed_port(7070.tcp())
            .with_wait_for(WaitFor::message_on_stdout("http"));
        let request = image
            .with_env_var("ROOT_ACCESS_KEY", ACCESS_KEY)
            .with_env_var("ROOT_SECRET_KEY", SECRET_KEY)
            .with_cmd(["--port", ":7070", "--keep-alive", "posix", "/tmp"]);
        let container = backend::start(request).await;
        let port = container.get_host_port_ipv4(7070.tcp()).await.expect("the S3 server's port is published");
        let server = S3Server { container, endpoint_url: format!("http://127.0.0.1:{port}") };
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
            ..StorageSettings::new(url.parse().expect("a url"))
        }
    }

    /// A client that tries once.
    pub fn client(&self) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
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
