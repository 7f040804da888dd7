//! Objects written in parts over S3's API. Each part's checksum is compared by the store, and once more when they are put
//! together.

use async_trait::async_trait;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;

use super::{
    S3Objects, client,
    errors::{Call, Failure},
    objects::etag,
};
use crate::ports::objects::{ETag, Multipart, ObjectsError, PutCondition};

#[async_trait]
impl Multipart for S3Objects {
    async fn begin(&self, key: &str) -> Result<String, ObjectsError> {
        let call = self.call("begin the upload of", key);
        let request = self.client.create_multipart_upload().bucket(self.place.url.bucket()).key(self.full(key));
        let (encryption, key_id) = self.writing.encryption();
        let request = request.set_server_side_encryption(encryption).set_ssekms_key_id(key_id);
        let output = request.send().await.map_err(|error| call.error(error))?;
        output.upload_id.ok_or_else(|| call.refused("the store gives the upload no id".into(), None))
    }

    async fn part(&self, key: &str, upload: &str, number: u32, body: Bytes) -> Result<ETag, ObjectsError> {
        let call = self.call("put a part of", key);
        let timeouts = client::timeouts(body.len() as u64);
        let request = self.client.upload_part().bucket(self.place.url.bucket()).key(self.full(key)).upload_id(upload);
        let request = request.part_number(number.try_into().unwrap_or(i32::MAX)).body(ByteStream::from(body));
        let request = request.set_checksum_algorithm(self.writing.checksum()).customize();
        let request = if self.writing.checksum_headers { request.disable_payload_signing() } else { request };
        let sent = request.config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts)).send().await;
        let output = sent.map_err(|error| of_upload(&call, error))?;
        etag(&call, output.e_tag)
    }

    async fn finish(
        &self,
        key: &str,
        upload: &str,
        parts: &[ETag],
        condition: PutCondition,
    ) -> Result<ETag, ObjectsError> {
        let call = self.call("finish the upload of", key);
        let part = |(number, tag): (i32, &ETag)| CompletedPart::builder().part_number(number).e_tag(&tag.0).build();
        let parts = CompletedMultipartUpload::builder().set_parts(Some((1..).zip(parts).map(part).collect())).build();
        let request = self.client.complete_multipart_upload().bucket(self.place.url.bucket()).key(self.full(key));
        let request = request.upload_id(upload).multipart_upload(parts);
        let request = match condition {
            PutCondition::IfAbsent => request.if_none_match("*"),
            PutCondition::IfMatch(etag) => request.if_match(etag.0),
        };
        let output = request.send().await.map_err(|error| of_upload(&call, error))?;
        etag(&call, output.e_tag)
    }
}

/// An upload that is not there any more is told as a condition that does not hold.
fn of_upload<E>(call: &Call<'_>, error: SdkError<E, HttpResponse>) -> ObjectsError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchUpload") {
        return ObjectsError::PreconditionFailed { key: call.key.to_owned() };
    }
    match call.failure(error) {
        Failure::Error(error) => error,
        Failure::Absent | Failure::BeyondEnd => ObjectsError::PreconditionFailed { key: call.key.to_owned() },
    }
}
