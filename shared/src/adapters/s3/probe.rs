//! Refuses a store on which the chain would not be safe.

use bytes::Bytes;

use crate::ports::objects::{ETag, GetRange, Objects, ObjectsError, PutCondition};

/// The folder of probe objects: `=` cannot be in a backup's name.
pub const FOLDER: &str = "=probe/";
const PUT: &str = "probe";

/// Proves that the store can be written, and that it creates an object once only: a second create of the same key must
/// fail, and so must an overwrite that expects another object. Leaves nothing behind.
///
/// `store` is how errors call it (a url), and `nonce` makes the probe's key unlike any other's.
///
/// # Errors
/// What the store answers (no such bucket, bad credentials, not reachable); Refused where it accepts what it must not.
pub async fn probe(objects: &dyn Objects, store: &str, nonce: u64) -> Result<(), ObjectsError> {
    let key = format!("{FOLDER}{nonce:016x}");
    let first = create(objects, &key, b"1").await?;
    let outcome = second_writes_fail(objects, store, &key, &first).await;
    let cleaned = objects.delete(&key).await;
    outcome.and(cleaned)
}

/// Creates the probe object. The client's own retry can meet what its first try wrote.
async fn create(objects: &dyn Objects, key: &str, body: &'static [u8]) -> Result<ETag, ObjectsError> {
    match objects.put(key, Bytes::from_static(body), PutCondition::IfAbsent).await {
        Err(ObjectsError::PreconditionFailed { .. }) => match objects.get(key, GetRange::Whole).await? {
            Some(object) => Ok(object.etag),
            None => Err(refused(
                key,
                "the store fails a create (412) where it holds no object: choose another store".into(),
            )),
        },
        created => created,
    }
}

async fn second_writes_fail(objects: &dyn Objects, store: &str, key: &str, first: &ETag) -> Result<(), ObjectsError> {
    let again = objects.put(key, Bytes::from_static(b"2"), PutCondition::IfAbsent).await;
    fails(again, store, key, "a second create of the same object (If-None-Match: *)")?;
    let other = ETag(first.0.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c }).collect());
    let overwritten = objects.put(key, Bytes::from_static(b"3"), PutCondition::IfMatch(other)).await;
    fails(overwritten, store, key, "an overwrite that expects another object (If-Match)")
}

fn fails(put: Result<ETag, ObjectsError>, store: &str, key: &str, what: &str) -> Result<(), ObjectsError> {
    match put {
        Err(ObjectsError::PreconditionFailed { .. }) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(refused(
            key,
            format!(
                "{store} accepts {what}, so two writers could overwrite each other's segments: choose a store with conditional PUT, as AWS S3 and MinIO have it"
            ),
        )),
    }
}

fn refused(key: &str, message: String) -> ObjectsError {
    ObjectsError::Refused { operation: PUT, key: key.to_owned(), message, source: None }
}
