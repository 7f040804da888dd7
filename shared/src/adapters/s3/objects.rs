//! The port over S3's API.

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    operation::{get_object::GetObjectOutput, list_objects_v2::ListObjectsV2Output},
    primitives::ByteStream,
    types::ChecksumAlgorithm,
};
use bytes::Bytes;

use super::{
    client,
    errors::{Call, Failure},
    fault::Place,
    page,
};
use crate::{
    config::storage::StorageSettings,
    ports::objects::{ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition},
};

/// An object store that speaks S3, below the prefix of its url.
#[derive(Debug, Clone)]
pub struct S3Objects {
    client: Client,
    place: Place,
}

impl S3Objects {
    /// Makes the client; no request is made yet. `section` is what the settings are called in errors, as in `storage`.
    ///
    /// # Errors
    /// Refused when half a pair of keys is set, or no region is found.
    pub async fn connect(section: &str, settings: &StorageSettings) -> Result<Self, ObjectsError> {
        let (client, place) = client::connect(section, settings).await?;
        Ok(S3Objects { client, place })
    }

    /// The store as messages call it: its url and where that is.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} at {}", self.place.url, self.place.endpoint())
    }

    /// The key in the bucket.
    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.place.url.key_prefix())
    }

    fn call<'a>(&'a self, operation: &'static str, key: &'a str) -> Call<'a> {
        Call { place: &self.place, operation, key }
    }

    /// Asks for a range as HTTP writes it; an object that ends before it gives none of its bytes.
    async fn get_range(&self, key: &str, range: Option<String>) -> Result<Option<Object>, ObjectsError> {
        let call = self.call("get", key);
        let request = self.client.get_object().bucket(self.place.url.bucket()).key(self.full(key)).set_range(range);
        let output = match request.send().await {
            Ok(output) => output,
            Err(error) => match call.failure(error) {
                Failure::Absent => return Ok(None),
                Failure::BeyondEnd => return self.head(key).await,
                Failure::Error(error) => return Err(error),
            },
        };
        let size_bytes = whole_size(&output)
            .ok_or_else(|| call.refused("the store does not say how large the object is".into(), None))?;
        let etag = etag(&call, output.e_tag)?;
        let body = output.body.collect().await.map_err(|error| call.unavailable(error))?.into_bytes();
        Ok(Some(Object { body, size_bytes, etag }))
    }

    /// An object's size and tag, and none of its bytes.
    async fn head(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        let call = self.call("head", key);
        match self.client.head_object().bucket(self.place.url.bucket()).key(self.full(key)).send().await {
            Ok(output) => {
                let size_bytes =
                    output.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
                Ok(Some(Object { body: Bytes::new(), size_bytes, etag: etag(&call, output.e_tag)? }))
            }
            // A HEAD's answer has no body and so no code. It is asked only after a GET that found the bucket.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => Ok(None),
            Err(error) => Err(call.error(error)),
        }
    }

    /// Asks for one page.
    async fn list_page(&self, request: ListRequest<'_>) -> Result<ListObjectsV2Output, ObjectsError> {
        let after = page::start_after(&request);
        let output = self.client.list_objects_v2().bucket(self.place.url.bucket()).prefix(self.full(request.prefix));
        output
            .set_start_after(after.map(|after| self.full(&after)))
            .set_delimiter(request.folders.then(|| "/".to_owned()))
            // Clamped to 1,000.
            .max_keys(request.limit_clamped() as i32)
            .send()
            .await
            .map_err(|error| self.call("list", request.prefix).error(error))
    }
}

#[async_trait]
impl Objects for S3Objects {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        let call = self.call("put", key);
        let timeouts = client::timeouts(body.len() as u64);
        let request =
            self.client.put_object().bucket(self.place.url.bucket()).key(self.full(key)).body(ByteStream::from(body));
        let request = match condition {
            PutCondition::IfAbsent => request.if_none_match("*"),
            PutCondition::IfMatch(etag) => request.if_match(etag.0),
        };
        let request = request.checksum_algorithm(ChecksumAlgorithm::Crc32C).customize();
        let sent = request.config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts)).send().await;
        match sent {
            Ok(output) => etag(&call, output.e_tag),
            Err(error) => Err(match call.failure(error) {
                // S3's answer to an If-Match on an object that is not there.
                Failure::Absent | Failure::BeyondEnd => ObjectsError::PreconditionFailed { key: key.to_owned() },
                Failure::Error(error) => error,
            }),
        }
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        match range {
            GetRange::Whole => self.get_range(key, None).await,
            GetRange::Bytes(range) if range.start < range.end => {
                self.get_range(key, Some(format!("bytes={}-{}", range.start, range.end - 1))).await
            }
            GetRange::Last(bytes) if bytes > 0 => self.get_range(key, Some(format!("bytes=-{bytes}"))).await,
            // HTTP has no empty range: the first byte is asked for, and dropped.
            GetRange::Bytes(_) | GetRange::Last(_) => {
                let object = self.get_range(key, Some("bytes=0-0".to_owned())).await?;
                Ok(object.map(|object| Object { body: Bytes::new(), ..object }))
            }
        }
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        let output = self.list_page(request).await?;
        page::page(&request, self.place.url.key_prefix(), output)
            .map_err(|message| self.call("list", request.prefix).refused(message, None))
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        let call = self.call("delete", key);
        match self.client.delete_object().bucket(self.place.url.bucket()).key(self.full(key)).send().await {
            Ok(_) => Ok(()),
            Err(error) => match call.failure(error) {
                Failure::Absent => Ok(()),
                Failure::BeyondEnd => Err(call.refused("the store answers 416".into(), None)),
                Failure::Error(error) => Err(error),
            },
        }
    }
}

fn etag(call: &Call<'_>, etag: Option<String>) -> Result<ETag, ObjectsError> {
    etag.map(ETag).ok_or_else(|| {
        call.refused("the store gives no entity tag, which If-Match needs: choose another store".into(), None)
    })
}

/// The whole object's size: behind the slash of `Content-Range`, or the length of a whole body.
fn whole_size(output: &GetObjectOutput) -> Option<u64> {
    match output.content_range() {
        Some(range) => range.rsplit_once('/')?.1.parse().ok(),
        None => u64::try_from(output.content_length()?).ok(),
    }
}
