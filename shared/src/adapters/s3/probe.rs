//! Refuses a store on which the chain would not be safe.

use bytes::Bytes;

use crate::ports::objects::{ETag, GetRange, Objects, ObjectsError, PutCondition};

/// The folder of probe objects: `=` cannot be in a backup's name.
pub const FOLDER: &str = "=probe/";
/// The object that every start tries to create. It stays: so nobody needs to be allowed to delete for this, and a bucket with
/// versions or locks fills with nothing.
const KEY: &str = "=probe/once";
const PUT: &str = "probe";

/// Proves that the store can be written, and that it creates an object once only: a second create of the same key must
/// fail, and so must an overwrite that expects another object. `store` is how errors call it (a url).
///
/// # Errors
/// What the store answers (no such bucket, bad credentials, not reachable); Refused where it accepts what it must not.
pub async fn probe(objects: &dyn Objects, store: &str) -> Result<(), ObjectsError> {
    let held = match create(objects).await {
        Ok(created) => {
            fails(create(objects).await, store, "a second create of the same object (If-None-Match: *)")?;
            created
        }
        // It is there since an earlier probe.
        Err(ObjectsError::PreconditionFailed { .. }) => held(objects).await?,
        Err(error) => return Err(error),
    };
    let other = ETag(held.0.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c }).collect());
    let overwritten = objects.put(KEY, Bytes::from_static(b"2"), PutCondition::IfMatch(other)).await;
    fails(overwritten, store, "an overwrite that expects another object (If-Match)")
}

async fn create(objects: &dyn Objects) -> Result<ETag, ObjectsError> {
    objects.put(KEY, Bytes::from_static(b"1"), PutCondition::IfAbsent).await
}

async fn held(objects: &dyn Objects) -> Result<ETag, ObjectsError> {
    let object = objects.get(KEY, GetRange::Whole).await?;
    object.map(|object| object.etag).ok_or_else(|| {
        refused("the store fails a create (412) where it holds no object: choose another store".to_owned())
    })
}

fn fails(put: Result<ETag, ObjectsError>, store: &str, what: &str) -> Result<(), ObjectsError> {
    match put {
        Err(ObjectsError::PreconditionFailed { .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(refused(format!(
            "{store} accepts {what}, so two writers could overwrite each other's segments: choose a store with conditional PUT, as AWS S3 and MinIO have it"
        ))),
    }
}

fn refused(message: String) -> ObjectsError {
    ObjectsError::Refused { operation: PUT, key: KEY.to_owned(), message, source: None }
}
