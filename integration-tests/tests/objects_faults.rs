//! What an object store that is wrong, broken or unsafe is told as.

use std::{
    error::Error as _,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
};
use integration_tests::s3_server::{self, S3Server};
use shared::{
    adapters::{
        memory::objects::MemoryObjects,
        s3::{
            S3Objects,
            embedded::{EmbeddedError, EmbeddedS3},
            probe::probe,
        },
        system_clock::SystemClock,
    },
    config::{secret::Secret, storage::StorageSettings},
    ports::objects::{
        ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError, PutCondition, clock_warning,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const TOLD_WITHIN: Duration = Duration::from_secs(10);

async fn embedded(folder: &Path) -> EmbeddedS3 {
    EmbeddedS3::start(folder, loopback(), "backups").await.expect("the embedded S3 starts")
}

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn settings_of(server: &EmbeddedS3) -> StorageSettings {
    server.settings("s3://backups/kafka".parse().expect("a url"))
}

/// Settings that are right but for where they lead to.
fn settings_at(address: SocketAddr) -> StorageSettings {
    StorageSettings {
        endpoint_url: Some(format!("http://{address}").parse().expect("an endpoint")),
        region: Some("us-east-1".to_owned()),
        access_key_id: Some("key".to_owned()),
        secret_access_key: Some(Secret::new("hunter2")),
        ..StorageSettings::new("s3://backups/kafka".parse().expect("a url"))
    }
}

async fn connect(settings: &StorageSettings) -> S3Objects {
    S3Objects::connect("storage", settings).await.expect("the settings make a client")
}

/// What each operation answers; the probe too, which is what a start asks first.
async fn every_operation(settings: &StorageSettings) -> Vec<ObjectsError> {
    let store = connect(settings).await;
    let described = store.describe();
    let put = |condition| store.put("k", "body".into(), condition);
    let (created, replaced, got, listed, deleted, probed) = tokio::join!(
        put(PutCondition::IfAbsent),
        put(PutCondition::IfMatch(ETag("\"1\"".into()))),
        store.get("k", GetRange::Whole),
        store.list(ListRequest::prefix("")),
        store.delete("k"),
        probe(&store, &described),
    );
    vec![
        created.expect_err("create"),
        replaced.expect_err("replace"),
        got.expect_err("get"),
        listed.expect_err("list"),
        deleted.expect_err("delete"),
        probed.expect_err("probe"),
    ]
}

async fn assert_refused(settings: &StorageSettings, wanted: &str) {
    for error in every_operation(settings).await {
        assert!(matches!(error, ObjectsError::Refused { .. }) && !error.retry(), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(wanted) && !message.contains("hunter2"), "{message}");
    }
}

async fn assert_unavailable_within_ten_seconds(settings: &StorageSettings) {
    let told = tokio::time::timeout(TOLD_WITHIN, every_operation(settings)).await;
    for error in told.expect("it is told within ten seconds") {
        assert!(matches!(error, ObjectsError::Unavailable { .. }) && error.retry(), "{error:?}");
        let endpoint = settings.endpoint_url.as_ref().expect("an endpoint").to_string();
        assert!(error.to_string().contains(&endpoint), "{error}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_by_its_setting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = embedded(folder.path()).await;
    let settings = StorageSettings { url: "s3://nowhere/kafka".parse().expect("a url"), ..settings_of(&server) };
    assert_refused(&settings, "storage.url is s3://nowhere/kafka").await;
    assert_refused(&settings, "has no bucket nowhere: create it, or correct the setting").await;
}

#[tokio::test]
async fn unknown_keys_are_told_by_their_setting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = embedded(folder.path()).await;
    let unknown = StorageSettings { access_key_id: Some("nobody".to_owned()), ..settings_of(&server) };
    assert_refused(&unknown, "storage.access_key_id is nobody, which is not known").await;
    let wrong = StorageSettings { secret_access_key: Some(Secret::new("hunter2")), ..settings_of(&server) };
    assert_refused(&wrong, "correct storage.secret_access_key").await;
}

#[tokio::test]
async fn versitygw_is_told_to_have_no_such_bucket_or_keys() {
    let server = S3Server::shared().await;
    let bucket = server.new_bucket("faults").await;
    let right = StorageSettings {
        endpoint_url: Some(server.endpoint_url().parse().expect("an endpoint")),
        region: Some(s3_server::REGION.to_owned()),
        access_key_id: Some(s3_server::ACCESS_KEY.to_owned()),
        secret_access_key: Some(Secret::new(s3_server::SECRET_KEY)),
        ..StorageSettings::new(format!("s3://{bucket}/kafka").parse().expect("a url"))
    };
    let store = connect(&right).await;
    passes_twice_and_leaves_one_object(&store).await;

    let elsewhere = StorageSettings { url: "s3://nowhere-at-all".parse().expect("a url"), ..right.clone() };
    assert_refused(&elsewhere, "has no bucket nowhere-at-all").await;
    let unknown = StorageSettings { access_key_id: Some("nobody".to_owned()), ..right.clone() };
    assert_refused(&unknown, "storage.access_key_id is nobody").await;
    let wrong = StorageSettings { secret_access_key: Some(Secret::new("hunter2")), ..right };
    assert_refused(&wrong, "correct storage.secret_access_key").await;
}

/// Answers every request alike.
async fn answering(status: u16, headers: &'static [(&'static str, &'static str)], body: &'static str) -> SocketAddr {
    let answer = move || async move {
        let mut response = axum::response::Response::new(axum::body::Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().expect("a header's value"));
        }
        response
    };
    let listener = TcpListener::bind(loopback()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn a_bucket_of_another_region_is_told_with_its_region() {
    let body = "<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>";
    let address = answering(301, &[("x-amz-bucket-region", "eu-west-1")], body).await;
    assert_refused(&settings_at(address), "storage.region is us-east-1, and bucket backups is in eu-west-1").await;
}

#[tokio::test]
async fn a_store_without_the_needed_operations_is_told() {
    let address = answering(501, &[], "<Error><Code>NotImplemented</Code></Error>").await;
    assert_refused(&settings_at(address), "does not support this request").await;
}

#[tokio::test]
async fn a_web_server_does_not_pass_for_an_empty_store() {
    let address = answering(404, &[("content-type", "text/html")], "<html><body>not found</body></html>").await;
    assert_refused(&settings_at(address), "no S3 server: correct storage.endpoint_url").await;
}

#[tokio::test]
async fn an_overloaded_store_is_unavailable() {
    let address = answering(503, &[], "<Error><Code>SlowDown</Code></Error>").await;
    assert_unavailable_within_ten_seconds(&settings_at(address)).await;
}

#[tokio::test]
async fn a_closed_port_is_unavailable() {
    let listener = TcpListener::bind(loopback()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    assert_unavailable_within_ten_seconds(&settings_at(address)).await;
}

#[tokio::test]
async fn a_port_that_accepts_and_never_answers_is_unavailable_within_ten_seconds() {
    let listener = TcpListener::bind(loopback()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let _silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    assert_unavailable_within_ten_seconds(&settings_at(address)).await;
}

/// Passes connections on, and cuts the first as soon as the server answers.
async fn losing_the_first_answer(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(loopback()).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut first = true;
        while let Ok((mut client, _)) = listener.accept().await {
            let mut upstream = TcpStream::connect(server).await.expect("the server accepts");
            if std::mem::take(&mut first) {
                pass_request_and_lose_answer(&mut client, &mut upstream).await;
            } else {
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut upstream).await });
            }
        }
    });
    address
}

async fn pass_request_and_lose_answer(client: &mut TcpStream, upstream: &mut TcpStream) {
    let (mut request, mut answer) = ([0; 4096], [0; 1]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => match read {
                Ok(length @ 1..) => upstream.write_all(&request[..length]).await.expect("the server takes the request"),
                _ => return,
            },
            _ = upstream.read(&mut answer) => return,
        }
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_comes_out_as_a_failed_condition_and_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = embedded(folder.path()).await;
    let lossy = losing_the_first_answer(server.address()).await;
    let endpoint_url = Some(format!("http://{lossy}").parse().expect("an endpoint"));
    let store = connect(&StorageSettings { endpoint_url, ..settings_of(&server) }).await;
    let created = store.put("k", "body".into(), PutCondition::IfAbsent).await;
    assert!(matches!(created, Err(ObjectsError::PreconditionFailed { .. })), "{created:?}");
    assert_eq!(store.get("k", GetRange::Whole).await.expect("an answer").expect("an object").body, "body");
}

#[tokio::test]
async fn the_embedded_s3_and_the_memory_pass_the_probe() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = embedded(folder.path()).await;
    let stores: [Arc<dyn Objects>; 2] =
        [Arc::new(connect(&settings_of(&server)).await), Arc::new(MemoryObjects::new(Arc::new(SystemClock)))];
    for store in stores {
        passes_twice_and_leaves_one_object(&*store).await;
    }
}

/// However often it is probed, there is nothing that anybody would have to delete.
async fn passes_twice_and_leaves_one_object(store: &dyn Objects) {
    for _ in 0..2 {
        probe(store, "the store").await.expect("it passes");
        let page = store.list(ListRequest::prefix("")).await.expect("a page");
        let keys: Vec<_> = page.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["=probe/once"]);
    }
}

type Ignores = fn(&PutCondition) -> bool;

/// A store that writes whatever the condition is: the way of one that ignores the headers.
struct Careless {
    inner: MemoryObjects,
    ignores: Ignores,
}

#[async_trait::async_trait]
impl Objects for Careless {
    async fn put(&self, key: &str, body: bytes::Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        if (self.ignores)(&condition) {
            self.inner.delete(key).await?;
            return self.inner.put(key, body, PutCondition::IfAbsent).await;
        }
        self.inner.put(key, body, condition).await
    }
    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.inner.get(key, range).await
    }
    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        self.inner.list(request).await
    }
    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.inner.delete(key).await
    }
}

#[tokio::test]
async fn a_store_that_ignores_a_condition_is_refused_by_name_whether_it_was_probed_before_or_not() {
    let ignores_if_none_match: Ignores = |condition| matches!(condition, PutCondition::IfAbsent);
    let ignores_if_match: Ignores = |condition| matches!(condition, PutCondition::IfMatch(_));
    for (ignores, named) in [(ignores_if_none_match, "If-None-Match: *"), (ignores_if_match, "If-Match")] {
        let inner = MemoryObjects::new(Arc::new(SystemClock));
        let store = Careless { inner, ignores };
        for _ in 0..2 {
            let refusal = probe(&store, "s3://backups at http://old:9000").await.expect_err("it is refused");
            let message = refusal.to_string();
            assert!(!refusal.retry(), "{refusal:?}");
            assert!(
                message.contains("s3://backups at http://old:9000 accepts") && message.contains(named),
                "{message}"
            );
            assert!(message.contains("choose a store with conditional PUT"), "{message}");
        }
    }
}

#[tokio::test]
async fn an_embedded_s3_says_what_it_cannot_use() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = embedded(folder.path()).await;
    let start = |folder: std::path::PathBuf, address: SocketAddr| async move {
        EmbeddedS3::start(&folder, address, "backups").await.err().expect("it does not start")
    };
    assert!(matches!(start(folder.path().into(), loopback()).await, EmbeddedError::FolderInUse(_)));
    let other = tempfile::tempdir().expect("a temporary folder");
    assert!(matches!(start(other.path().into(), first.address()).await, EmbeddedError::Listen { .. }));
    let public = "0.0.0.0:0".parse().expect("an address");
    assert!(matches!(start(other.path().into(), public).await, EmbeddedError::NotLoopback(_)));
    let file = other.path().join("file");
    std::fs::write(&file, b"").expect("a file");
    assert!(matches!(start(file, loopback()).await, EmbeddedError::Folder { .. }));
}

#[tokio::test]
async fn what_the_embedded_s3_holds_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let first = embedded(folder.path()).await;
    let etag =
        connect(&settings_of(&first)).await.put("a/b", "body".into(), PutCondition::IfAbsent).await.expect("a tag");
    first.stop().await;
    let second = embedded(folder.path()).await;
    let object = connect(&settings_of(&second)).await.get("a/b", GetRange::Whole).await.expect("an answer");
    let object = object.expect("an object");
    assert_eq!((object.body.as_ref(), object.etag), (&b"body"[..], etag));
}

#[tokio::test]
async fn a_store_whose_clock_is_another_is_noticed_by_its_answers() {
    let absent = "<Error><Code>NoSuchKey</Code></Error>";
    let router = Router::new()
        .fallback(move || async move { (StatusCode::NOT_FOUND, [("date", "Tue, 14 Nov 2023 22:13:20 GMT")], absent) });
    let listener = TcpListener::bind(loopback()).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let store = connect(&settings_at(address)).await;
    assert_eq!(store.clock_ahead_ms(), None, "nothing was asked yet");
    assert!(store.get("k", GetRange::Whole).await.expect("an answer").is_none());
    let ahead = store.clock_ahead_ms().expect("it answered");
    assert!(ahead > 86_400_000, "{ahead}");
    let warning = clock_warning(Some(ahead)).expect("a warning");
    assert!(warning.contains(&format!("{} s ahead of the store's", ahead / 1_000)), "{warning}");
    assert!(clock_warning(Some(-3_600_000)).expect("a warning").contains("3600 s behind the store's"));
    assert_eq!((clock_warning(Some(4_000)), clock_warning(None)), (None, None));

    let server = S3Server::shared().await;
    let right = connect(&server.storage(&format!("s3://{}/x", server.new_bucket("clock").await))).await;
    assert!(right.get("k", GetRange::Whole).await.expect("an answer").is_none());
    assert_eq!(clock_warning(right.clock_ahead_ms()), None);
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_not_spoken_to() {
    let server = S3Server::secured().await;
    let settings = StorageSettings { ca_file: None, ..server.storage("s3://backups/kafka") };
    let refused = connect(&settings).await.get("k", GetRange::Whole).await.expect_err("no certificate that is trusted");
    let said = format!("{refused} {:?}", refused.source());
    assert!(said.contains("UnknownIssuer"), "{said}");
}

/// A store that takes what it is sent, and the headers of each request.
async fn recording() -> (SocketAddr, Arc<Mutex<Vec<(String, HeaderMap)>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorded = seen.clone();
    let answer = move |request: axum::extract::Request| {
        let recorded = recorded.clone();
        async move {
            let (head, body) = request.into_parts();
            axum::body::to_bytes(body, usize::MAX).await.expect("a body");
            recorded.lock().expect("no panic").push((format!("{} {}", head.method, head.uri), head.headers));
            let upload = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
            let deletes = head.uri.query().is_some_and(|query| query.starts_with("delete"));
            ([("etag", "\"tag\"")], if deletes { "<DeleteResult/>" } else { upload })
        }
    };
    let listener = TcpListener::bind(loopback()).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (address, seen)
}

async fn write_everything(settings: &StorageSettings) {
    let store = connect(settings).await;
    store.put("k", "body".into(), PutCondition::IfAbsent).await.expect("a tag");
    let multipart = store.multipart().expect("S3 has it");
    let upload = multipart.begin("k").await.expect("an upload");
    multipart.part("k", &upload, 1, "body".into()).await.expect("a tag");
    store.delete_all(&["a".to_owned(), "b".to_owned()]).await.expect("they are gone");
}

#[tokio::test]
async fn a_server_that_refuses_the_newer_checksum_headers_gets_none_and_signatures_cover_what_is_sent() {
    for checksum_headers in [true, false] {
        let (address, seen) = recording().await;
        write_everything(&StorageSettings { checksum_headers, ..settings_at(address) }).await;
        let seen = seen.lock().expect("no panic");
        let newer = |headers: &HeaderMap| {
            headers.keys().any(|name| name.as_str().contains("checksum") || name == "x-amz-trailer")
        };
        let with: Vec<_> = seen.iter().filter(|(_, headers)| newer(headers)).map(|(request, _)| request).collect();
        assert_eq!(!with.is_empty(), checksum_headers, "{with:?}");
        let hash = |(_, headers): &(String, HeaderMap)| headers["x-amz-content-sha256"].to_str().expect("text").len();
        let signed = seen.iter().filter(|request| request.0.starts_with("PUT")).all(|request| hash(request) == 64);
        assert_eq!(signed, !checksum_headers, "a SHA-256 has 64 digits: {seen:?}");
    }
}

#[tokio::test]
async fn what_is_written_is_encrypted_with_the_key_that_is_set_and_else_as_the_bucket_says() {
    for key in [None, Some("arn:aws:kms:eu-west-1:1:key/k".to_owned())] {
        let (address, seen) = recording().await;
        write_everything(&StorageSettings { kms_key_id: key.clone(), ..settings_at(address) }).await;
        let seen = seen.lock().expect("no panic");
        let of = |begins: &str, ends: &str| {
            let request = seen.iter().find(|(request, _)| request.starts_with(begins) && request.ends_with(ends));
            let headers = &request.expect("it was sent").1;
            let told = |name: &str| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
            (told("x-amz-server-side-encryption"), told("x-amz-server-side-encryption-aws-kms-key-id"))
        };
        let expected = (key.as_ref().map(|_| "aws:kms".to_owned()), key);
        assert_eq!(of("PUT", "x-id=PutObject"), expected);
        assert_eq!(of("POST", "uploads"), expected);
    }
}
