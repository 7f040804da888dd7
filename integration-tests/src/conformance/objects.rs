//! What every object store must do. Each case is given an empty one.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use shared::ports::objects::{
    ETag, GetRange, ListPage, ListRequest, Object, Objects, ObjectsError,
    PutCondition::{self, IfAbsent, IfMatch},
};

/// An object store as a test holds it.
pub type Store = Arc<dyn Objects>;

const RACERS: usize = 64;
const BODY_20_MIB: usize = 20 * 1024 * 1024;
/// No store writes such a tag.
const WRONG_TAG: &str = "\"00000000000000000000000000000000\"";

async fn create(store: &Store, key: &str, body: impl Into<Bytes>) -> ETag {
    store.put(key, body.into(), IfAbsent).await.unwrap_or_else(|error| panic!("create {key}: {error:?}"))
}

async fn create_all(store: &Store, keys: &[impl AsRef<str>]) {
    let puts = keys.iter().map(|key| create(store, key.as_ref(), key.as_ref().to_owned()));
    stream::iter(puts).buffer_unordered(16).collect::<Vec<_>>().await;
}

async fn get(store: &Store, key: &str, range: GetRange) -> Object {
    let got = store.get(key, range.clone()).await.unwrap_or_else(|error| panic!("get {key} {range:?}: {error:?}"));
    got.unwrap_or_else(|| panic!("there is no {key}"))
}

async fn list(store: &Store, request: ListRequest<'_>) -> ListPage {
    store.list(request).await.unwrap_or_else(|error| panic!("list {request:?}: {error:?}"))
}

async fn delete(store: &Store, key: &str) {
    store.delete(key).await.unwrap_or_else(|error| panic!("delete {key}: {error:?}"));
}

async fn assert_absent(store: &Store, key: &str, range: GetRange) {
    let got = store.get(key, range.clone()).await;
    assert!(matches!(got, Ok(None)), "get {key} {range:?}: {got:?}");
}

fn keys(page: &ListPage) -> Vec<&str> {
    page.objects.iter().map(|object| object.key.as_str()).collect()
}

fn assert_condition_failed(put: Result<ETag, ObjectsError>, what: &str) {
    assert!(matches!(put, Err(ObjectsError::PreconditionFailed { .. })), "{what}: {put:?}");
}

/// What is put is got, with its size and tag; what was not put is absent.
pub async fn what_is_put_is_got(store: Store) {
    let etag = create(&store, "a/b", "body").await;
    let object = get(&store, "a/b", GetRange::Whole).await;
    assert_eq!((object.body.as_ref(), object.size_bytes, object.etag), (&b"body"[..], 4, etag));
    for absent in ["a", "a/", "a/b/c", "a/c", "b"] {
        assert_absent(&store, absent, GetRange::Whole).await;
        assert_absent(&store, absent, GetRange::Last(1)).await;
        assert_absent(&store, absent, GetRange::Bytes(5..5)).await;
    }
}

/// A range gives what the object has of it, and the whole object's size and tag.
pub async fn a_range_gives_what_there_is_of_it(store: Store) {
    let etag = create(&store, "k", "0123456789").await;
    for (range, body) in [
        (GetRange::Bytes(0..10), "0123456789"),
        (GetRange::Bytes(0..1), "0"),
        (GetRange::Bytes(3..7), "3456"),
        (GetRange::Bytes(8..1_000), "89"),
        (GetRange::Bytes(9..10), "9"),
        (GetRange::Bytes(10..20), ""),
        (GetRange::Bytes(1_000..2_000), ""),
        (GetRange::Bytes(4..4), ""),
        (GetRange::Bytes(0..0), ""),
        (GetRange::Last(1), "9"),
        (GetRange::Last(4), "6789"),
        (GetRange::Last(10), "0123456789"),
        (GetRange::Last(1_000), "0123456789"),
        (GetRange::Last(0), ""),
    ] {
        let object = get(&store, "k", range.clone()).await;
        assert_eq!(object.body, body, "{range:?}");
        assert_eq!((object.size_bytes, &object.etag), (10, &etag), "{range:?}");
    }
}

/// An empty object is an object.
pub async fn an_empty_body_is_kept(store: Store) {
    let etag = create(&store, "empty", "").await;
    for range in [GetRange::Whole, GetRange::Last(8), GetRange::Bytes(0..8), GetRange::Bytes(0..0)] {
        let object = get(&store, "empty", range.clone()).await;
        assert_eq!((object.body.len(), object.size_bytes, &object.etag), (0, 0, &etag), "{range:?}");
    }
    assert_condition_failed(store.put("empty", "x".into(), IfAbsent).await, "an empty object is there");
}

/// A body of 20 MiB comes back byte for byte, whole and in parts.
pub async fn a_body_of_20_mib_comes_back(store: Store) {
    let body: Bytes = (0..BODY_20_MIB).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    create(&store, "large", body.clone()).await;
    assert!(get(&store, "large", GetRange::Whole).await.body == body);
    let middle = 7_777_777..12_345_678;
    let part = get(&store, "large", GetRange::Bytes(middle.start as u64..middle.end as u64)).await;
    assert!(part.body == body[middle]);
    assert!(get(&store, "large", GetRange::Last(65_536)).await.body == body[BODY_20_MIB - 65_536..]);
}

/// If-None-Match: an object is created once, and what was there stays.
pub async fn an_object_is_created_once(store: Store) {
    let etag = create(&store, "k", "first").await;
    assert_condition_failed(store.put("k", "second".into(), IfAbsent).await, "another body");
    assert_condition_failed(store.put("k", "first".into(), IfAbsent).await, "the same body");
    let object = get(&store, "k", GetRange::Whole).await;
    assert_eq!((object.body.as_ref(), object.etag), (&b"first"[..], etag));
}

/// If-Match: an object is replaced only by one who knows its tag.
pub async fn an_object_is_replaced_only_with_its_tag(store: Store) {
    assert_condition_failed(store.put("k", "x".into(), IfMatch(ETag(WRONG_TAG.into()))).await, "nothing is there");
    assert_absent(&store, "k", GetRange::Whole).await;

    let first = create(&store, "k", "first").await;
    assert_condition_failed(store.put("k", "x".into(), IfMatch(ETag(WRONG_TAG.into()))).await, "a wrong tag");
    let second = store.put("k", "second".into(), IfMatch(first.clone())).await.expect("the right tag");
    assert_ne!(first, second);
    assert_condition_failed(store.put("k", "x".into(), IfMatch(first)).await, "the tag before");
    let object = get(&store, "k", GetRange::Whole).await;
    assert_eq!((object.body.as_ref(), object.etag), (&b"second"[..], second.clone()));

    delete(&store, "k").await;
    assert_condition_failed(store.put("k", "x".into(), IfMatch(second)).await, "it was deleted");
}

/// What is deleted is gone, deleting none is no error, and the key can be created again.
pub async fn what_is_deleted_is_gone(store: Store) {
    delete(&store, "never/was").await;
    create_all(&store, &["d/1", "d/2"]).await;
    delete(&store, "d/1").await;
    delete(&store, "d/1").await;
    delete(&store, "d").await;
    assert_absent(&store, "d/1", GetRange::Whole).await;
    assert_eq!(keys(&list(&store, ListRequest::prefix("")).await), ["d/2"]);
    create(&store, "d/1", "again").await;
    assert_eq!(get(&store, "d/1", GetRange::Whole).await.body, "again");
}

/// Many objects are deleted at once, those that are there and those that are not, and no others. The date of a read is that of
/// the listing, to the second.
pub async fn many_are_deleted_at_once(store: Store) {
    let there: Vec<String> = (0..30).map(|i| format!("m/{i}/a b+?&=é.kan")).collect();
    create_all(&store, &there).await;
    create_all(&store, &["m/kept", "n"]).await;
    let missing = (0..1_000).map(|i| format!("m/never/{i}"));
    let all: Vec<String> = there.iter().cloned().chain(missing).collect();
    store.delete_all(&all).await.unwrap_or_else(|error| panic!("delete {} objects: {error:?}", all.len()));
    store.delete_all(&all).await.expect("they are gone already");
    store.delete_all(&[]).await.expect("nothing to do");
    let left = list(&store, ListRequest::prefix("")).await;
    assert_eq!(keys(&left), ["m/kept", "n"]);
    let read = get(&store, "n", GetRange::Last(1)).await;
    assert!(left.objects[1].modified.0.abs_diff(read.modified.0) < 1_000, "{left:?} {read:?}");
}

/// Keys as the chain has them, and any other sign, come back from a listing as they were put.
pub async fn keys_may_have_any_sign(store: Store) {
    let long = format!("main/{}/1/0/{:020}.kan", "t".repeat(249), 42);
    let odd = [
        "main/=owner.json",
        "main/orders.v1_2-eu/=incarnations/1.json",
        "main/orders.v1_2-eu/1/0/00000000000000000042.kan",
        "a b/c+d",
        "100%/50%25",
        "q?x=1&y=2#z",
        "(x)[y]{z}!*'\"~^`|<>;,@$:\\",
        "ümläut/日本/🦀",
        &long,
    ];
    create_all(&store, &odd).await;
    for key in odd {
        assert_eq!(get(&store, key, GetRange::Whole).await.body, key, "{key}");
        assert_eq!(keys(&list(&store, ListRequest::prefix(key)).await), [key]);
    }
    let sorted: BTreeSet<&str> = odd.into_iter().collect();
    assert_eq!(keys(&list(&store, ListRequest::prefix("")).await), sorted.into_iter().collect::<Vec<_>>());
}

/// A listing is in byte order, also where a folder's name begins another's, and tells each object's size, tag and date.
pub async fn a_listing_is_in_byte_order_and_tells_what_each_object_is(store: Store) {
    let in_order = ["Z", "a", "a!/x", "a-b/x", "b.c/x", "b/1", "b/10", "b/2/x", "b0", "é"];
    create_all(&store, &in_order.iter().rev().collect::<Vec<_>>()).await;
    let page = list(&store, ListRequest::prefix("")).await;
    assert_eq!(keys(&page), in_order);
    assert_eq!((page.folders.len(), page.next_after.as_deref()), (0, None));
    for entry in &page.objects {
        let object = get(&store, &entry.key, GetRange::Whole).await;
        assert_eq!((entry.size_bytes, &entry.etag), (object.size_bytes, &object.etag), "{}", entry.key);
        assert!(entry.modified.0 > 0, "{} has no date", entry.key);
    }
    assert_eq!(keys(&list(&store, ListRequest::prefix("b/")).await), ["b/1", "b/10", "b/2/x"]);
    assert_eq!(keys(&list(&store, ListRequest::prefix("b/1")).await), ["b/1", "b/10"]);
    assert_eq!(list(&store, ListRequest::prefix("b/2/x/")).await, ListPage::default());
    assert_eq!(list(&store, ListRequest::prefix("nothing/")).await, ListPage::default());
}

/// A listing goes on after a key, whether there is one like it or not.
pub async fn a_listing_goes_on_after_a_key(store: Store) {
    create_all(&store, &["p/10", "p/20", "p/30", "q/10"]).await;
    for (after, wanted) in [
        ("", &["p/10", "p/20", "p/30"][..]),
        ("a", &["p/10", "p/20", "p/30"]),
        ("p/", &["p/10", "p/20", "p/30"]),
        ("p/10", &["p/20", "p/30"]),
        ("p/15", &["p/20", "p/30"]),
        ("p/30", &[]),
        ("z", &[]),
    ] {
        let page = list(&store, ListRequest { after, ..ListRequest::prefix("p/") }).await;
        assert_eq!((keys(&page), page.next_after.as_deref()), (wanted.to_vec(), None), "after {after:?}");
    }
    let page = list(&store, ListRequest { after: "p/10", limit: 1, ..ListRequest::prefix("p/") }).await;
    assert_eq!((keys(&page), page.next_after.as_deref()), (vec!["p/20"], Some("p/20")));
}

/// The folders below a prefix are told once each, beside the objects that lie in none, and paging passes over what is
/// in them.
pub async fn folders_are_listed_once_each(store: Store) {
    let all = ["t/=x.json", "t/a-b/1", "t/a/1", "t/a/2", "t/a/b/3", "t/b", "t/c/1", "u/1"];
    create_all(&store, &all).await;
    let folders = ListRequest { folders: true, ..ListRequest::prefix("t/") };
    let page = list(&store, folders).await;
    assert_eq!((keys(&page), page.next_after.as_deref()), (vec!["t/=x.json", "t/b"], None));
    assert_eq!(page.folders, ["t/a-b/", "t/a/", "t/c/"]);

    let wanted = ["t/=x.json", "t/a-b/", "t/a/", "t/b", "t/c/"];
    for limit in 1..=wanted.len() {
        assert_eq!(listed_by_pages(&store, ListRequest { limit, ..folders }).await, wanted, "limit {limit}");
    }
    for (after, wanted) in [
        ("t/a/", &["t/b", "t/c/"][..]),
        ("t/a/1", &["t/b", "t/c/"]),
        ("t/a", &["t/a-b/", "t/a/", "t/b", "t/c/"]),
        ("t/c/", &[]),
    ] {
        assert_eq!(listed_by_pages(&store, ListRequest { after, ..folders }).await, wanted, "after {after:?}");
    }
    let top = list(&store, ListRequest { folders: true, ..ListRequest::prefix("") }).await;
    assert_eq!((keys(&top), &top.folders[..]), (vec![], &["t/".to_owned(), "u/".to_owned()][..]));
}

/// More objects than one page holds are listed once each, in order.
pub async fn a_long_listing_comes_in_pages(store: Store) {
    let all: Vec<String> = (0..1_003).map(|i| format!("main/orders/1/0/{:020}.kan", i * 7)).collect();
    create_all(&store, &all).await;
    let first = list(&store, ListRequest { limit: 5_000, ..ListRequest::prefix("main/") }).await;
    assert_eq!((first.objects.len(), first.next_after.as_ref()), (1_000, Some(&all[999])));
    assert_eq!(listed_by_pages(&store, ListRequest::prefix("main/")).await, all);
    assert_eq!(listed_by_pages(&store, ListRequest { limit: 250, ..ListRequest::prefix("main/orders/1/") }).await, all);
    let last = list(&store, ListRequest { after: &all[1_001], limit: 1, ..ListRequest::prefix("") }).await;
    assert_eq!((keys(&last), last.next_after.as_ref()), (vec![all[1_002].as_str()], None));
}

async fn listed_by_pages(store: &Store, request: ListRequest<'_>) -> Vec<String> {
    let (mut listed, mut next) = (Vec::new(), Some(request.after.to_owned()));
    while let Some(after) = next {
        let page = list(store, ListRequest { after: &after, ..request }).await;
        let names: BTreeSet<String> = page.objects.into_iter().map(|object| object.key).chain(page.folders).collect();
        assert!(names.len() <= request.limit && (page.next_after.is_none() || !names.is_empty()), "{names:?}");
        listed.extend(names);
        next = page.next_after;
    }
    listed
}

/// Of 64 creates that race, one succeeds, the others are told so, and the object is the winner's.
/// Only where the store's conditional PUT is atomic: versitygw checks and then renames.
pub async fn of_racing_creates_one_wins(store: Store) {
    for round in 0..10 {
        let key = format!("race/{round}");
        let winner = race(&store, &key, &IfAbsent, round).await;
        assert_eq!(get(&store, &key, GetRange::Whole).await.body, winner);
    }
}

/// Of 64 replacements that race with the same tag, one succeeds. Only where the store's conditional PUT is atomic.
pub async fn of_racing_replacements_one_wins(store: Store) {
    create(&store, "race", "start").await;
    for round in 0..10 {
        let etag = get(&store, "race", GetRange::Whole).await.etag;
        let winner = race(&store, "race", &IfMatch(etag), round).await;
        assert_eq!(get(&store, "race", GetRange::Whole).await.body, winner);
    }
}

/// The winner's body. No two bodies are alike, because a tag may be the content's: then who replaces an object by itself
/// leaves its tag as it was.
async fn race(store: &Store, key: &str, condition: &PutCondition, round: usize) -> Bytes {
    let racers = (0..RACERS).map(|racer| {
        let (store, key, condition) = (Arc::clone(store), key.to_owned(), condition.clone());
        let body = Bytes::from(format!("racer {racer} of {key} in round {round}"));
        tokio::spawn(async move { (store.put(&key, body.clone(), condition).await, body) })
    });
    let mut winners = Vec::new();
    for finished in futures::future::join_all(racers).await {
        match finished.expect("a racer does not panic") {
            (Ok(_), body) => winners.push(body),
            (lost, body) => assert_condition_failed(lost, &format!("{body:?}")),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    winners.remove(0)
}
