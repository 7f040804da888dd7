//! The s3 adapter.
