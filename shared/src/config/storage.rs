//! `[storage]`, and the place of a location: an object store.

use std::{borrow::Cow, fmt, path::PathBuf, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{secret::Secret, units::text_setting};

/// An object store: where it is, and who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StorageSettings {
    /// The bucket, and the prefix of every key in it: `s3://bucket/prefix`.
    pub url: StorageUrl,
    /// An S3 server other than AWS: `http://host:port`.
    #[serde(default)]
    pub endpoint_url: Option<EndpointUrl>,
    /// The bucket's region. Absent: the AWS SDK's own (`AWS_REGION`, the profile, the machine's); with an `endpoint_url`, `us-east-1` at last.
    #[serde(default)]
    pub region: Option<String>,
    /// Whether the bucket's name stands in the path of a request and not in its host. Absent: with an `endpoint_url` it does.
    #[serde(default)]
    pub path_style: Option<bool>,
    /// The access key. Absent, like the secret one: the AWS SDK's own chain (environment, profile, role).
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// The secret access key that goes with `access_key_id`.
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    /// A PEM file with the authority that signed the server's certificate, where the platform does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The key of AWS KMS that objects are encrypted with (SSE-KMS): its ARN, id or alias. Absent: as the bucket says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Whether requests carry S3's newer checksum headers. Some servers refuse them; then the signature covers the body.
    #[serde(default = "yes")]
    pub checksum_headers: bool,
}

fn yes() -> bool {
    true
}

impl StorageSettings {
    /// A bucket of AWS, by the SDK's own chain of credentials.
    #[must_use]
    pub fn new(url: StorageUrl) -> Self {
        StorageSettings {
            url,
            endpoint_url: None,
            region: None,
            path_style: None,
            access_key_id: None,
            secret_access_key: None,
            ca_file: None,
            kms_key_id: None,
            checksum_headers: true,
        }
    }

    /// Whether the bucket's name stands in the path of a request.
    #[must_use]
    pub fn is_path_style(&self) -> bool {
        self.path_style.unwrap_or(self.endpoint_url.is_some())
    }
}

/// A bucket and a prefix in it: `s3://bucket` or `s3://bucket/some/prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StorageUrl {
    bucket: String,
    prefix: String,
}

impl StorageUrl {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What every key begins with: empty, or ending in `/`.
    #[must_use]
    pub fn key_prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for StorageUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else { return Err(not_s3(text)) };
        if rest.contains(['?', '#']) {
            return Err(format!(
                "{text:?} has a query or a fragment, which would be part of every key: write s3://bucket/prefix, and \
                 endpoint_url, region and the rest as settings beside it"
            ));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if bucket.is_empty() || !bucket.bytes().all(letter) {
            return Err(format!("{text:?} names no bucket: write s3://bucket or s3://bucket/prefix"));
        }
        if bucket.ends_with("--x-s3") {
            return Err(format!(
                "{text:?} is a directory bucket, which does not list keys in order: take a general purpose bucket"
            ));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
        if !prefix.is_empty() && !prefix.split('/').all(plain) {
            return Err(format!(
                "{text:?} has an empty, `.` or `..` part, or a control character, in its prefix: write s3://bucket/prefix"
            ));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(StorageUrl { bucket: bucket.to_owned(), prefix })
    }
}

fn not_s3(text: &str) -> String {
    if text.starts_with("file:") || text.starts_with(['/', '.']) {
        return format!(
            "{text:?} is a folder, and a backup needs a store with conditional PUT: write s3://bucket/prefix, or run `highwater dev --data-dir FOLDER`, which serves a folder as S3"
        );
    }
    format!("{text:?} is no object store: write s3://bucket/prefix")
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        match self.prefix.strip_suffix('/') {
            Some(prefix) => write!(f, "/{prefix}"),
            None => Ok(()),
        }
    }
}

/// The address of a server that speaks an AWS API: `http://host:port` or `https://host`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Whether it is spoken to over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.parse().is_ok_and(|uri: http::Uri| uri.scheme() == Some(&http::uri::Scheme::HTTPS))
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let uri: http::Uri = self.0.parse().unwrap_or_default();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for EndpointUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: http::Uri = text.parse().unwrap_or_default();
        let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let host =
            uri.authority().filter(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
        match host {
            Some(_) if scheme && bare => Ok(EndpointUrl(text.trim_end_matches('/').to_owned())),
            _ => Err(format!(
                "{:?} is no server's address: write http://host:port or https://host",
                super::secret::without_credentials(text)
            )),
        }
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_setting!(StorageUrl, "s3://bucket/prefix");
text_setting!(EndpointUrl, "http://localhost:9000");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_in_the_url_is_refused_and_not_made_part_of_the_prefix() {
        for text in ["s3://b/p?endpoint=x", "s3://b?region=y", "s3://b/p#f"] {
            let why = text.parse::<StorageUrl>().unwrap_err();
            assert!(why.contains("endpoint_url"), "{why}");
        }
    }

    #[test]
    fn a_url_has_a_bucket_and_perhaps_a_prefix() {
        for (text, bucket, prefix) in [
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("s3://my.bucket-1/a", "my.bucket-1", "a/"),
            ("s3://b/a/=x/ü y/", "b", "a/=x/ü y/"),
        ] {
            let url: StorageUrl = text.parse().unwrap();
            assert_eq!((url.bucket(), url.key_prefix()), (bucket, prefix));
            assert_eq!(url.to_string(), text.trim_end_matches('/'));
        }
        for text in [
            "",
            "s3://",
            "s3:///a",
            "s3:b",
            "http://b/a",
            "s3://b//a",
            "s3://b/../a",
            "s3://b/a//",
            "s3://b c",
            "s3://u@b",
            "s3://b--x-s3/a",
        ] {
            assert!(text.parse::<StorageUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_folder_is_refused_with_what_to_do_instead() {
        let refusal = "file:///data".parse::<StorageUrl>().unwrap_err();
        assert!(refusal.contains("\"file:///data\" is a folder"), "{refusal}");
        assert!(refusal.contains("highwater dev --data-dir"), "{refusal}");
    }

    #[test]
    fn an_endpoint_is_a_scheme_and_a_host() {
        for text in ["http://127.0.0.1:9000", "https://s3.example.com", "http://[::1]:9000", "http://localhost:9000/"] {
            assert_eq!(text.parse::<EndpointUrl>().unwrap().to_string(), text.trim_end_matches('/'));
        }
        let local = |text: &str| text.parse::<EndpointUrl>().unwrap().is_loopback();
        assert!(local("http://127.0.0.1:1") && local("http://localhost") && local("http://[::1]:9000"));
        assert!(!local("http://10.0.0.1:1") && !local("https://localhost.example.com"));
        for text in ["", "localhost:9000", "ftp://host", "http://", "http://host/path", "http://host?x", "not a url"] {
            assert!(text.parse::<EndpointUrl>().is_err(), "{text}");
        }
        let refusal = "http://user:hunter2@host".parse::<EndpointUrl>().unwrap_err();
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn settings_name_what_they_do_not_know() {
        let settings: StorageSettings =
            toml::from_str("url = \"s3://b/p\"\nendpoint_url = \"http://h:1\"\nsecret_access_key = \"s\"").unwrap();
        assert!(settings.is_path_style());
        assert!(!StorageSettings::new("s3://b".parse().unwrap()).is_path_style());
        assert!(!format!("{settings:?}").contains("\"s\""));
        assert!(
            toml::from_str::<StorageSettings>("url = \"s3://b\"\nendpoint = \"http://h\"")
                .unwrap_err()
                .to_string()
                .contains("unknown field `endpoint`")
        );
    }
}
