//! Between a folder's words and S3's.

use std::{
    fs,
    io::{self, Read, Seek},
    ops::Range,
};

use s3s::{
    S3Error,
    dto::{CommonPrefix, ETag as S3ETag, Object, Timestamp},
    s3_error,
};

use super::folder::FolderError;
use crate::ports::objects::{ETag, ListPage};

/// S3's answer to a folder's error.
pub(super) fn folder_failure(error: FolderError) -> S3Error {
    match error {
        FolderError::NoSuchBucket => s3_error!(NoSuchBucket, "The specified bucket does not exist"),
        FolderError::PreconditionFailed => {
            s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
        }
        FolderError::UnsupportedKey(why) => {
            s3_error!(InvalidArgument, "this server keeps objects as files, and this key cannot be one: {why}")
        }
        FolderError::Io(error) => io_failure(error),
    }
}

/// A full disk and the like.
pub(super) fn io_failure(error: io::Error) -> S3Error {
    tracing::warn!(%error, "the embedded S3 cannot use its folder");
    failure(error)
}

pub(super) fn failure(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    S3Error::internal_error(error)
}

/// With the quotes that S3 writes around it to S3's type, which has none.
pub(super) fn to_etag(etag: &ETag) -> S3ETag {
    S3ETag::Strong(etag.0.trim_matches('"').to_owned())
}

pub(super) fn from_etag(etag: &S3ETag) -> ETag {
    ETag(format!("\"{}\"", etag.value()))
}

/// A page's objects and folders.
pub(super) fn listed(page: ListPage) -> (Vec<Object>, Vec<CommonPrefix>) {
    let object = |entry: crate::ports::objects::ObjectEntry| Object {
        e_tag: Some(to_etag(&entry.etag)),
        key: Some(entry.key),
        size: i64::try_from(entry.size_bytes).ok(),
        last_modified: Some(Timestamp::from(
            std::time::UNIX_EPOCH
                + std::time::Duration::from_millis(u64::try_from(entry.modified.0).unwrap_or_default()),
        )),
        ..Object::default()
    };
    let folder = |prefix| CommonPrefix { prefix: Some(prefix) };
    (page.objects.into_iter().map(object).collect(), page.folders.into_iter().map(folder).collect())
}

/// `Content-Range` of a range that is not empty.
pub(super) fn content_range(bytes: &Range<u64>, size_bytes: u64) -> String {
    format!("bytes {}-{}/{size_bytes}", bytes.start, bytes.end.saturating_sub(1))
}

/// Reads a range that lies within the file.
pub(super) fn read_range(mut file: fs::File, bytes: Range<u64>) -> io::Result<Vec<u8>> {
    let length = bytes.end - bytes.start;
    file.seek(io::SeekFrom::Start(bytes.start))?;
    let mut body = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    file.take(length).read_to_end(&mut body)?;
    Ok(body)
}
