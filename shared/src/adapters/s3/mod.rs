//! Object storage that speaks S3: the client, the probe of a store at start, and the server that `highwater dev` embeds.

mod buckets;
mod client;
mod clock;
pub mod embedded;
mod errors;
mod fault;
mod multipart;
mod objects;
mod page;
pub mod probe;

pub use buckets::S3Buckets;
pub(crate) use client::http_client;
pub use objects::S3Objects;
