//! Texts that must never be shown.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

const HIDDEN: &str = "***";

/// A password, key or token. `Debug` and `Serialize` show `***`; only [`Secret::reveal`] gives the text.
///
/// In the file it is a text, or `{ file = "/run/secrets/..." }`, which is replaced by the file's content before the
/// settings are read; in the environment `<SETTING>` or `<SETTING>_FILE`. The ARN of a secret in AWS Secrets Manager may
/// stand in the place of a path.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the client that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "object"],
            "writeOnly": true,
            "properties": { "file": { "type": "string", "description": "A file that holds the secret, where line ends at its end do not count; or the ARN of a secret in AWS Secrets Manager, with #FIELD behind it where its text is a JSON object." } },
            "additionalProperties": false
        })
    }
}

/// A URL as it may be shown: what stands before an `@` in its authority is hidden.
#[must_use]
pub fn without_credentials(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else { return Cow::Borrowed(url) };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.rfind('@') {
        Some(at) => Cow::Owned(format!("{scheme}://{HIDDEN}{}", &rest[at..])),
        None => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_in_neither_debug_nor_json() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_url_is_shown_without_its_credentials() {
        assert_eq!(without_credentials("redis://user:p@ss@host:6379/0"), "redis://***@host:6379/0");
        assert_eq!(without_credentials("redis://:secret@host"), "redis://***@host");
        assert_eq!(without_credentials("s3://bucket/a@b"), "s3://bucket/a@b");
        assert_eq!(without_credentials("not a url"), "not a url");
    }
}
