//! Every adapter of the objects port passes the port's one suite.

use std::{any::Any, sync::Arc};

use integration_tests::{
    conformance::objects::{self, Store},
    s3_server::S3Server,
};
use shared::{
    adapters::{
        memory::objects::MemoryObjects,
        s3::{S3Objects, embedded::EmbeddedS3},
        system_clock::SystemClock,
    },
    config::storage::{StorageSettings, StorageUrl},
};

/// A store, and what must live as long as it.
type Held = (Store, Box<dyn Any + Send>);

async fn memory() -> Held {
    (Arc::new(MemoryObjects::new(Arc::new(SystemClock))), Box::new(()))
}

async fn embedded() -> Held {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let server = EmbeddedS3::start(folder.path(), loopback, "bucket").await.expect("the embedded S3 starts");
    let settings = server.settings(url("s3://bucket/some/prefix"));
    (connect(&settings).await, Box::new((server, folder)))
}

async fn versitygw() -> Held {
    let server = S3Server::shared().await;
    let bucket = server.new_bucket("conformance").await;
    (connect(&server.storage(&format!("s3://{bucket}/some/prefix"))).await, Box::new(()))
}

/// The same over TLS, with a certificate of an own authority and without the newer checksum headers.
async fn secured() -> Held {
    let server = S3Server::secured().await;
    let bucket = server.new_bucket("conformance").await;
    let settings = StorageSettings { checksum_headers: false, ..server.storage(&format!("s3://{bucket}/some/prefix")) };
    (connect(&settings).await, Box::new(()))
}

async fn connect(settings: &StorageSettings) -> Store {
    Arc::new(S3Objects::connect("storage", settings).await.expect("the settings make a client"))
}

fn url(text: &str) -> StorageUrl {
    text.parse().expect("an s3 url")
}

macro_rules! conformance {
    ($backend:ident: $($case:ident)+) => {
        mod $backend {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (store, _held) = super::$backend().await;
                    super::objects::$case(store).await;
                }
            )+
        }
    };
    ($($backend:ident)+) => {
        $(conformance! { $backend:
            what_is_put_is_got
            a_range_gives_what_there_is_of_it
            an_empty_body_is_kept
            a_body_of_20_mib_comes_back
            an_object_is_created_once
            an_object_is_replaced_only_with_its_tag
            what_is_deleted_is_gone
            many_are_deleted_at_once
            keys_may_have_any_sign
            a_listing_is_in_byte_order_and_tells_what_each_object_is
            a_listing_goes_on_after_a_key
            folders_are_listed_once_each
            a_long_listing_comes_in_pages
        })+
    };
}
conformance! { memory embedded versitygw secured }

/// versitygw is not here: it checks a condition and then renames, so two racing writers can both succeed.
mod races {
    macro_rules! races {
        ($($name:ident: $backend:ident $case:ident)+) => {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let (store, _held) = super::$backend().await;
                    super::objects::$case(store).await;
                }
            )+
        };
    }
    races! {
        of_racing_creates_in_memory_one_wins: memory of_racing_creates_one_wins
        of_racing_replacements_in_memory_one_wins: memory of_racing_replacements_one_wins
        of_racing_creates_at_the_embedded_s3_one_wins: embedded of_racing_creates_one_wins
        of_racing_replacements_at_the_embedded_s3_one_wins: embedded of_racing_replacements_one_wins
    }
}
