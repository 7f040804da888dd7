//! What a PUT brings: its condition, and its body once its checksums were found right.

use bytes::Bytes;
use futures::StreamExt;
use s3s::{
    S3Request, S3Result,
    checksum::ChecksumHasher,
    crypto::Checksum as _,
    dto::{Checksum, ETagCondition, PutObjectInput},
    s3_error,
};

use super::{folder::Condition, translate::from_etag};

/// Larger ones are refused: the largest segment is far below.
const BODY_BYTES_MAX: usize = 512 * 1024 * 1024;
const CHECKSUM_HEADERS: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-crc64nvme",
];

pub(super) fn condition(input: &PutObjectInput) -> S3Result<Condition> {
    match (&input.if_none_match, &input.if_match) {
        (None, None) => Ok(Condition::Always),
        (Some(ETagCondition::Any), None) => Ok(Condition::IfAbsent),
        (None, Some(ETagCondition::Any)) => Ok(Condition::IfPresent),
        (None, Some(ETagCondition::ETag(etag))) => Ok(Condition::IfMatch(from_etag(etag))),
        _ => Err(s3_error!(NotImplemented, "a PUT takes If-None-Match: * or If-Match, and not both")),
    }
}

/// The whole body. Every checksum that came with it, before or behind it, fits.
pub(super) async fn body(mut request: S3Request<PutObjectInput>) -> S3Result<Bytes> {
    let announced = request.input.content_length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let Some(mut stream) = request.input.body.take() else { return Ok(Bytes::new()) };
    let mut body = Vec::with_capacity(announced.min(BODY_BYTES_MAX));
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| s3_error!(InvalidRequest, "the body ends early: {error}"))?;
        if body.len() + part.len() > BODY_BYTES_MAX {
            return Err(s3_error!(EntityTooLarge, "this server takes objects of at most {BODY_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&part);
    }
    let trailers = request.trailing_headers.and_then(|trailers| trailers.take()).unwrap_or_default();
    for name in CHECKSUM_HEADERS {
        if let Some(wanted) = request.headers.get(name).or_else(|| trailers.get(name))
            && checksum(name, &body).as_deref().map(str::as_bytes) != Some(wanted.as_bytes())
        {
            return Err(s3_error!(BadDigest, "{name} does not fit the body"));
        }
    }
    Ok(body.into())
}

/// The checksum that a header is for, in base64.
fn checksum(header: &str, body: &[u8]) -> Option<String> {
    let mut hasher = ChecksumHasher::default();
    match header {
        "x-amz-checksum-crc32" => hasher.crc32 = Some(s3s::crypto::Crc32::new()),
        "x-amz-checksum-crc32c" => hasher.crc32c = Some(s3s::crypto::Crc32c::new()),
        "x-amz-checksum-sha1" => hasher.sha1 = Some(s3s::crypto::Sha1::new()),
        "x-amz-checksum-sha256" => hasher.sha256 = Some(s3s::crypto::Sha256::new()),
        _ => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new()),
    }
    hasher.update(body);
    let Checksum { checksum_crc32, checksum_crc32c, checksum_sha1, checksum_sha256, checksum_crc64nvme, .. } =
        hasher.finalize();
    checksum_crc32.or(checksum_crc32c).or(checksum_sha1).or(checksum_sha256).or(checksum_crc64nvme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_checksum_is_the_one_its_header_names() {
        // CRC-32 and CRC-32C of "123456789" are 0xCBF43926 and 0xE3069283.
        let of = |name| checksum(name, b"123456789").unwrap();
        assert_eq!(of("x-amz-checksum-crc32"), "y/Q5Jg==");
        assert_eq!(of("x-amz-checksum-crc32c"), "4waSgw==");
        let all: std::collections::HashSet<_> = CHECKSUM_HEADERS.into_iter().map(of).collect();
        assert_eq!(all.len(), CHECKSUM_HEADERS.len());
    }
}
