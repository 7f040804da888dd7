//! S3's operations over a folder: those that Highwater, DuckDB and the aws CLI use. Others answer 501.

use std::sync::Arc;

use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::{
        Bucket, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, CreateBucketInput, CreateBucketOutput,
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition,
        GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput,
        HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListObjectsInput,
        ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob,
        Timestamp,
    },
    s3_error,
};

use super::{
    blocking,
    folder::{Attributes, Condition, Folder},
    listing,
    translate::{content_range, failure, from_etag, io_failure, listed, read_range, to_etag},
    upload,
};
use crate::{
    adapters::system_clock::SystemClock,
    ports::objects::{LIST_LIMIT_MAX, ListPage, ListRequest},
};

/// The operations.
#[derive(Clone)]
pub(super) struct Api {
    pub folder: Arc<Folder<SystemClock>>,
}

/// A listing as either version of the operation asks for it.
struct Listing {
    bucket: String,
    prefix: String,
    after: String,
    delimiter: Option<String>,
    keys_max: Option<i32>,
}

impl Api {
    async fn list(&self, listing: Listing) -> S3Result<ListPage> {
        let Listing { bucket, prefix, after, delimiter, keys_max } = listing;
        let folders = match delimiter.as_deref() {
            None | Some("") => false,
            Some("/") => true,
            Some(other) => return Err(s3_error!(NotImplemented, "the only delimiter is /, and not {other}")),
        };
        let limit = keys_max.map_or(LIST_LIMIT_MAX, |keys| usize::try_from(keys).unwrap_or_default());
        let folder = Arc::clone(&self.folder);
        blocking(move || {
            let bucket = folder.bucket(&bucket)?;
            if limit == 0 {
                return Ok(ListPage::default());
            }
            listing::page(&bucket, ListRequest { prefix: &prefix, after: &after, folders, limit })
        })
        .await
    }

    async fn head(&self, bucket: String, key: String) -> S3Result<Attributes> {
        let folder = Arc::clone(&self.folder);
        let found = blocking(move || folder.get(&bucket, &key)).await?;
        found.map(|(_, attributes)| attributes).ok_or_else(|| s3_error!(NoSuchKey))
    }

    async fn bucket_exists(&self, bucket: String) -> S3Result<()> {
        let folder = Arc::clone(&self.folder);
        blocking(move || folder.bucket(&bucket)).await.map(drop)
    }
}

#[async_trait::async_trait]
impl S3 for Api {
    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let folder = Arc::clone(&self.folder);
        let buckets = blocking(move || Ok(folder.buckets()?)).await?;
        let bucket = |(name, created)| Bucket {
            name: Some(name),
            creation_date: Some(Timestamp::from(created)),
            ..Bucket::default()
        };
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets.into_iter().map(bucket).collect()),
            ..ListBucketsOutput::default()
        }))
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let folder = Arc::clone(&self.folder);
        blocking(move || Ok(folder.create_bucket(&request.input.bucket)?)).await?;
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket_exists(request.input.bucket).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.bucket_exists(request.input.bucket).await?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        // A token is the key or folder that the page before ended with.
        let after = input.continuation_token.clone().max(input.start_after.clone()).unwrap_or_default();
        let prefix = input.prefix.clone().unwrap_or_default();
        let listing = Listing {
            bucket: input.bucket.clone(),
            prefix,
            after,
            delimiter: input.delimiter.clone(),
            keys_max: input.max_keys,
        };
        let page = self.list(listing).await?;
        let next = page.next_after.clone();
        let (contents, common_prefixes) = listed(page);
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            start_after: input.start_after,
            continuation_token: input.continuation_token,
            max_keys: Some(input.max_keys.unwrap_or(LIST_LIMIT_MAX as i32)),
            key_count: i32::try_from(contents.len() + common_prefixes.len()).ok(),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let (prefix, after) = (input.prefix.clone().unwrap_or_default(), input.marker.clone().unwrap_or_default());
        let listing = Listing {
            bucket: input.bucket.clone(),
            prefix,
            after,
            delimiter: input.delimiter.clone(),
            keys_max: input.max_keys,
        };
        let page = self.list(listing).await?;
        let next_marker = page.next_after.clone();
        let (contents, common_prefixes) = listed(page);
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: input.prefix,
            marker: input.marker,
            delimiter: input.delimiter,
            max_keys: Some(input.max_keys.unwrap_or(LIST_LIMIT_MAX as i32)),
            is_truncated: Some(next_marker.is_some()),
            next_marker,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            ..ListObjectsOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let GetObjectInput { bucket, key, range, if_match, .. } = request.input;
        let folder = Arc::clone(&self.folder);
        let (file, attributes) =
            blocking(move || folder.get(&bucket, &key)).await?.ok_or_else(|| s3_error!(NoSuchKey))?;
        if let Some(ETagCondition::ETag(wanted)) = if_match
            && from_etag(&wanted) != attributes.etag
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let bytes = match range {
            None => 0..attributes.size_bytes,
            Some(range) => range.check(attributes.size_bytes)?,
        };
        let content_range = range.map(|_| content_range(&bytes, attributes.size_bytes));
        let body =
            tokio::task::spawn_blocking(move || read_range(file, bytes)).await.map_err(failure)?.map_err(io_failure)?;
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(body.len()).ok(),
            content_range,
            e_tag: Some(to_etag(&attributes.etag)),
            last_modified: Some(Timestamp::from(attributes.modified)),
            body: Some(StreamingBlob::from(s3s::Body::from(body))),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let attributes = self.head(request.input.bucket, request.input.key).await?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(attributes.size_bytes).ok(),
            e_tag: Some(to_etag(&attributes.etag)),
            last_modified: Some(Timestamp::from(attributes.modified)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let condition = upload::condition(&request.input)?;
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let body = upload::body(request).await?;
        let folder = Arc::clone(&self.folder);
        let written = blocking(move || folder.put(&bucket, &key, &body, &condition)).await?;
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(to_etag(&written.etag)), ..PutObjectOutput::default() }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let CopyObjectInput { bucket, key, copy_source, .. } = request.input;
        let CopySource::Bucket { bucket: from_bucket, key: from_key, .. } = copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let folder = Arc::clone(&self.folder);
        let written = blocking(move || {
            let Some((file, attributes)) = folder.get(&from_bucket, &from_key)? else { return Ok(None) };
            let body = read_range(file, 0..attributes.size_bytes)?;
            folder.put(&bucket, &key, &body, &Condition::Always).map(Some)
        });
        let written = written.await?.ok_or_else(|| s3_error!(NoSuchKey))?;
        let result = CopyObjectResult {
            e_tag: Some(to_etag(&written.etag)),
            last_modified: Some(Timestamp::from(written.modified)),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let DeleteObjectInput { bucket, key, .. } = request.input;
        let folder = Arc::clone(&self.folder);
        blocking(move || folder.delete(&bucket, &key)).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        let keys: Vec<String> = delete.objects.into_iter().map(|object| object.key).collect();
        let folder = Arc::clone(&self.folder);
        let deleted = blocking(move || {
            keys.iter().try_for_each(|key| folder.delete(&bucket, key))?;
            Ok(keys)
        })
        .await?;
        let deleted =
            deleted.into_iter().map(|key| DeletedObject { key: Some(key), ..DeletedObject::default() }).collect();
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..DeleteObjectsOutput::default() }))
    }
}
