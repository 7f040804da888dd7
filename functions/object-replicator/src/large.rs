//! Large objects, copied part by part: one part is in memory at a time, and a copy that was interrupted goes on behind the
//! parts that arrived, in this run or another.

use shared::{
    archive,
    ports::objects::{ETag, GetRange, Multipart, ObjectsError, PutCondition},
    segment::metadata::FORMAT_VERSION,
};

use crate::{
    error::{CopyError, of_location, of_source},
    task::Copy,
    watch::Upload,
};

/// An object up to this size is copied whole.
pub(crate) const WHOLE_BYTES_MAX: u64 = 16 << 20;
/// The size of a part; larger where there would be more than S3 takes.
const PART_BYTES: u64 = 8 << 20;
const PARTS_MAX: u64 = 10_000;
/// How often an upload is begun anew that is gone, or whose object changed meanwhile.
const UPLOADS_MAX: u32 = 3;

/// Copies a large object; `None`: the condition does not hold at the location.
pub(crate) async fn copy(
    copy: &Copy<'_>,
    multipart: &dyn Multipart,
    condition: &PutCondition,
) -> Result<Option<u64>, CopyError> {
    for _ in 0..UPLOADS_MAX {
        let object = copy.source.get(copy.source_key, GetRange::Last(0)).await.map_err(of_source)?;
        let object = object.ok_or_else(|| CopyError::SourceGone(copy.source_key.to_owned()))?;
        let mut upload = match known(copy, &object.etag, part_bytes(object.size_bytes)).await {
            Some(upload) => upload,
            None => begin(copy, multipart, object.etag.clone(), part_bytes(object.size_bytes)).await?,
        };
        match parts(copy, multipart, &mut upload, object.size_bytes).await {
            Ok(true) => {}
            Ok(false)
            | Err(CopyError::Location(archive::ArchiveError::Objects(ObjectsError::PreconditionFailed { .. }))) => {
                forget(copy).await;
                continue;
            }
            Err(error) => return Err(error),
        }
        let tags: Vec<ETag> = upload.parts.iter().cloned().map(ETag).collect();
        let finished = multipart.finish(copy.location_key, &upload.upload, &tags, condition.clone()).await;
        match finished {
            Ok(_) => {
                forget(copy).await;
                return Ok(Some(object.size_bytes));
            }
            Err(ObjectsError::PreconditionFailed { .. }) => {
                forget(copy).await;
                return Ok(None);
            }
            Err(error) => return Err(of_location(error)),
        }
    }
    Err(of_location(ObjectsError::Conflict { key: copy.location_key.to_owned() }))
}

/// Copies the parts that did not arrive yet; false when the object changed meanwhile.
async fn parts(
    copy: &Copy<'_>,
    multipart: &dyn Multipart,
    upload: &mut Upload,
    size_bytes: u64,
) -> Result<bool, CopyError> {
    let count = size_bytes.div_ceil(upload.part_bytes);
    while (upload.parts.len() as u64) < count {
        let from = upload.parts.len() as u64 * upload.part_bytes;
        let range = GetRange::Bytes(from..(from + upload.part_bytes).min(size_bytes));
        let part = copy.source.get(copy.source_key, range).await.map_err(of_source)?;
        let part = part.ok_or_else(|| CopyError::SourceGone(copy.source_key.to_owned()))?;
        if part.etag.0 != upload.etag {
            return Ok(false);
        }
        // There are at most 10,000.
        let (number, bytes) = (upload.parts.len() as u32 + 1, part.body.len() as u64);
        let put = multipart.part(copy.location_key, &upload.upload, number, part.body).await;
        upload.parts.push(put.map_err(of_location)?.0);
        if let Some(watch) = copy.watch {
            watch.arrived(upload, number, bytes).await;
        }
    }
    Ok(true)
}

fn part_bytes(size_bytes: u64) -> u64 {
    PART_BYTES.max(size_bytes.div_ceil(PARTS_MAX))
}

async fn begin(copy: &Copy<'_>, multipart: &dyn Multipart, etag: ETag, part_bytes: u64) -> Result<Upload, CopyError> {
    let upload = multipart.begin(copy.location_key).await.map_err(of_location)?;
    Ok(Upload { format_version: FORMAT_VERSION, upload, etag: etag.0, part_bytes, parts: vec![] })
}

/// The upload that another run began of this version.
async fn known(copy: &Copy<'_>, etag: &ETag, part_bytes: u64) -> Option<Upload> {
    let found = copy.watch?.read().await?;
    (found.etag == etag.0 && found.part_bytes == part_bytes).then_some(found)
}

async fn forget(copy: &Copy<'_>) {
    if let Some(watch) = copy.watch {
        watch.forget().await;
    }
}
