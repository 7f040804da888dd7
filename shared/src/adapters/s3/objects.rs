//! The port over S3's API.

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    operation::{get_object::GetObjectOutput, list_objects_v2::ListObjectsV2Output},
    primitives::{ByteStream, DateTime},
    types::{ChecksumAlgorithm, Delete, ObjectIdentifier, ServerSideEncryption},
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    client,
    clock::StoreClock,
    errors::{Call, Failure},
    fault::Place,
    page,
};
use crate::{
    config::storage::StorageSettings,
    ports::objects::{ETag, GetRange, ListPage, ListRequest, Multipart, Object, Objects, ObjectsError, PutCondition},
    record::Millis,
};

/// S3 takes no more keys than this in one request to delete.
const DELETES_MAX: usize = 1_000;
/// So many are under way where each object is deleted by a request of its own.
const DELETES_AT_ONCE: usize = 16;

/// An object store that speaks S3, below the prefix of its url.
#[derive(Debug, Clone)]
pub struct S3Objects {
    pub(super) client: Client,
    pub(super) place: Place,
    clock: StoreClock,
    pub(super) writing: Writing,
}

/// How objects are written.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    kms_key_id: Option<String>,
    pub(super) checksum_headers: bool,
}

impl Writing {
    fn of(settings: &StorageSettings) -> Self {
        Writing { kms_key_id: settings.kms_key_id.clone(), checksum_headers: settings.checksum_headers }
    }

    /// What an object is encrypted with, other than the bucket's own encryption.
    pub(super) fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        (self.kms_key_id.as_ref().map(|_| ServerSideEncryption::AwsKms), self.kms_key_id.clone())
    }

    /// The checksum that covers a body. With it the body's SHA-256 needs not be in the signature, which would cost both sides
    /// more than all else.
    pub(super) fn checksum(&self) -> Option<ChecksumAlgorithm> {
        self.checksum_headers.then_some(ChecksumAlgorithm::Crc32C)
    }
}

impl S3Objects {
    /// Makes the client; no request is made yet. `section` is what the settings are called in errors, as in `storage`.
    ///
    /// # Errors
    /// Refused when half a pair of keys is set, or no region is found.
    pub async fn connect(section: &str, settings: &StorageSettings) -> Result<Self, ObjectsError> {
        let (client, place, clock) = client::connect(section, settings).await?;
        Ok(S3Objects { client, place, clock, writing: Writing::of(settings) })
    }

    /// The store as messages call it: its url and where that is.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} at {}", self.place.url, self.place.endpoint())
    }

    /// The key in the bucket.
    pub(super) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.place.url.key_prefix())
    }

    pub(super) fn call<'a>(&'a self, operation: &'static str, key: &'a str) -> Call<'a> {
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
        let (etag, modified) = (etag(&call, output.e_tag)?, modified(&call, output.last_modified)?);
        let body = output.body.collect().await.map_err(|error| call.body(error))?.into_bytes();
        Ok(Some(Object { body, size_bytes, etag, modified }))
    }

    /// An object's size and tag, and none of its bytes.
    async fn head(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        let call = self.call("head", key);
        match self.client.head_object().bucket(self.place.url.bucket()).key(self.full(key)).send().await {
            Ok(output) => {
                let size_bytes =
                    output.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or_default();
                let (etag, modified) = (etag(&call, output.e_tag)?, modified(&call, output.last_modified)?);
                Ok(Some(Object { body: Bytes::new(), size_bytes, etag, modified }))
            }
            // A HEAD's answer has no body and so no code. It is asked only after a GET that found the bucket.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => Ok(None),
            Err(error) => Err(call.error(error)),
        }
    }

    /// Deletes as many objects as one request may name.
    async fn delete_part(&self, keys: &[String]) -> Result<(), ObjectsError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let call = self.call("delete", first);
        let objects: Result<Vec<_>, _> =
            keys.iter().map(|key| ObjectIdentifier::builder().key(self.full(key)).build()).collect();
        let request = objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
        let request = request.map_err(|error| call.refused("the request cannot be made".into(), Some(error.into())))?;
        let sent = self.client.delete_objects().bucket(self.place.url.bucket()).delete(request).send().await;
        let output = sent.map_err(|error| call.error(error))?;
        // Each object has an answer of its own; one that was not there is no error.
        let failed = output.errors().iter().find(|error| error.code() != Some("NoSuchKey"));
        failed.map_or(Ok(()), |error| Err(call.not_deleted(error)))
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
        let (encryption, key_id) = self.writing.encryption();
        let request = request.set_server_side_encryption(encryption).set_ssekms_key_id(key_id);
        let request = request.set_checksum_algorithm(self.writing.checksum()).customize();
        let request = if self.writing.checksum_headers { request.disable_payload_signing() } else { request };
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

    async fn delete_all(&self, keys: &[String]) -> Result<(), ObjectsError> {
        if self.writing.checksum().is_none() {
            // A request to delete many is nothing without its checksum.
            return stream::iter(keys).map(Ok).try_for_each_concurrent(DELETES_AT_ONCE, |key| self.delete(key)).await;
        }
        for part in keys.chunks(DELETES_MAX) {
            self.delete_part(part).await?;
        }
        Ok(())
    }

    fn multipart(&self) -> Option<&dyn Multipart> {
        Some(self)
    }

    fn clock_ahead_ms(&self) -> Option<i64> {
        self.clock.ahead_ms()
    }
}

fn modified(call: &Call<'_>, date: Option<DateTime>) -> Result<Millis, ObjectsError> {
    let date = date.and_then(|date| date.to_millis().ok()).map(Millis);
    date.ok_or_else(|| call.refused("the store does not say when the object was written".into(), None))
}

pub(super) fn etag(call: &Call<'_>, etag: Option<String>) -> Result<ETag, ObjectsError> {
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
