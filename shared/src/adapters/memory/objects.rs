//! Objects in memory: the port as an object store keeps it, deterministic and without threads.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    ports::{
        clock::Clock,
        objects::{
            ETag, GetRange, ListPage, ListRequest, Multipart, Object, ObjectEntry, Objects, ObjectsError, PutCondition,
        },
    },
    record::Millis,
};

/// An object store in memory. Entity tags are made from the content, as S3's are: the same bytes have the same tag.
pub struct MemoryObjects {
    clock: Arc<dyn Clock>,
    stored: Mutex<BTreeMap<String, Stored>>,
    /// Unfinished uploads: their parts by number.
    uploads: Mutex<BTreeMap<String, BTreeMap<u32, Bytes>>>,
}

#[derive(Clone)]
struct Stored {
    body: Bytes,
    etag: ETag,
    modified: Millis,
}

impl MemoryObjects {
    /// An empty store whose objects are dated by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        MemoryObjects { clock, stored: Mutex::default(), uploads: Mutex::default() }
    }

    /// No call awaits while it holds the lock, and a panic in one leaves the map whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        let mut stored = self.lock();
        let holds = match (&condition, stored.get(key)) {
            (PutCondition::IfAbsent, found) => found.is_none(),
            (PutCondition::IfMatch(etag), found) => found.is_some_and(|found| found.etag == *etag),
        };
        if !holds {
            return Err(ObjectsError::PreconditionFailed { key: key.to_owned() });
        }
        let etag = etag_of(&body);
        let modified = self.clock.now();
        stored.insert(key.to_owned(), Stored { body, etag: etag.clone(), modified });
        Ok(etag)
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        let Some(Stored { body, etag, modified }) = self.lock().get(key).cloned() else { return Ok(None) };
        let size_bytes = body.len() as u64;
        let within = range.within(size_bytes);
        // Both ends are at most the body's length, which is a usize.
        let body = body.slice(within.start as usize..within.end as usize);
        Ok(Some(Object { body, size_bytes, etag, modified }))
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        Ok(page(&self.lock(), request))
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.lock().remove(key);
        Ok(())
    }

    fn multipart(&self) -> Option<&dyn Multipart> {
        Some(self)
    }
}

impl MemoryObjects {
    fn uploads(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<u32, Bytes>>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Multipart for MemoryObjects {
    async fn begin(&self, key: &str) -> Result<String, ObjectsError> {
        let mut uploads = self.uploads();
        let id = format!("{key}#{}", uploads.len());
        uploads.insert(id.clone(), BTreeMap::new());
        Ok(id)
    }

    async fn part(&self, key: &str, upload: &str, number: u32, body: Bytes) -> Result<ETag, ObjectsError> {
        let mut uploads = self.uploads();
        let gone = || ObjectsError::PreconditionFailed { key: key.to_owned() };
        let etag = etag_of(&body);
        uploads.get_mut(upload).ok_or_else(gone)?.insert(number, body);
        Ok(etag)
    }

    async fn finish(
        &self,
        key: &str,
        upload: &str,
        parts: &[ETag],
        condition: PutCondition,
    ) -> Result<ETag, ObjectsError> {
        let gone = || ObjectsError::PreconditionFailed { key: key.to_owned() };
        let written = self.uploads().get(upload).cloned().ok_or_else(gone)?;
        let named: Option<Vec<&Bytes>> = (1..).zip(parts).map(|(number, _)| written.get(&number)).collect();
        let body = named.ok_or_else(gone)?.into_iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>();
        let etag = self.put(key, body.into(), condition).await?;
        self.uploads().remove(upload);
        Ok(etag)
    }
}

fn etag_of(body: &Bytes) -> ETag {
    let digest = Sha256::digest(body);
    ETag(format!("\"{}\"", hex::encode(&digest[..16])))
}

/// One page of `stored`. Work grows with the page, not with what the folders hold.
fn page(stored: &BTreeMap<String, Stored>, request: ListRequest<'_>) -> ListPage {
    let limit = request.limit_clamped();
    let mut page = ListPage::default();
    let mut last = request.after.to_owned();
    let mut from = if request.after < request.prefix {
        Bound::Included(request.prefix.to_owned())
    } else {
        match request.folder_of(request.after) {
            Some(folder) => Bound::Included(first_beyond(folder)),
            None => Bound::Excluded(request.after.to_owned()),
        }
    };
    while let Some((key, object)) = stored.range::<String, _>((from, Bound::Unbounded)).next() {
        if !key.starts_with(request.prefix) {
            break;
        }
        if page.objects.len() + page.folders.len() == limit {
            page.next_after = Some(last);
            break;
        }
        match request.folder_of(key) {
            Some(folder) => {
                page.folders.push(folder.to_owned());
                last = folder.to_owned();
                from = Bound::Included(first_beyond(folder));
            }
            None => {
                page.objects.push(entry(key, object));
                last = key.clone();
                from = Bound::Excluded(key.clone());
            }
        }
    }
    page
}

fn entry(key: &str, object: &Stored) -> ObjectEntry {
    let size_bytes = object.body.len() as u64;
    ObjectEntry { key: key.to_owned(), size_bytes, etag: object.etag.clone(), modified: object.modified }
}

/// The first text beyond everything that begins with `folder`: `0` follows `/`, in which every folder ends.
fn first_beyond(folder: &str) -> String {
    format!("{}0", &folder[..folder.len() - 1])
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use proptest::prelude::*;

    use super::*;

    struct StoppedClock;
    impl Clock for StoppedClock {
        fn now(&self) -> Millis {
            Millis(7)
        }
    }

    /// The memory store never waits, so one poll completes it.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("the memory store must not wait"),
        }
    }

    fn store_of<'a>(keys: impl IntoIterator<Item = &'a String>) -> MemoryObjects {
        let store = MemoryObjects::new(Arc::new(StoppedClock));
        for key in keys {
            now(store.put(key, Bytes::from(key.clone()), PutCondition::IfAbsent)).unwrap();
        }
        store
    }

    /// What a listing must hold, without paging: every object and every folder, once, in byte order.
    fn expected(keys: &std::collections::BTreeSet<String>, request: ListRequest<'_>) -> Vec<String> {
        let mut names: Vec<String> = keys
            .iter()
            .filter(|key| key.starts_with(request.prefix))
            .map(|key| request.folder_of(key).unwrap_or(key).to_owned())
            .filter(|name| name.as_str() > request.after)
            .filter(|name| !(request.folders && name.ends_with('/') && request.after.starts_with(name.as_str())))
            .collect();
        names.dedup();
        names
    }

    proptest! {
        #[test]
        fn paging_gives_everything_once_and_in_order(
            keys in proptest::collection::btree_set("[ab-][ab/0-]{0,4}[ab]", 0..20),
            prefix in "[ab]{0,1}/{0,1}",
            after in "[ab/]{0,3}",
            folders: bool,
            limit in 1_usize..4,
        ) {
            let store = store_of(&keys);
            let wanted = expected(&keys, ListRequest { prefix: &prefix, after: &after, folders, limit });
            let mut got = Vec::new();
            let mut next = Some(after);
            while let Some(after) = next {
                let page = now(store.list(ListRequest { prefix: &prefix, after: &after, folders, limit })).unwrap();
                prop_assert!(page.objects.len() + page.folders.len() <= limit);
                let mut names: Vec<String> = page.objects.into_iter().map(|o| o.key).chain(page.folders).collect();
                names.sort();
                got.extend(names);
                next = page.next_after;
            }
            prop_assert_eq!(got, wanted);
        }
    }

    #[test]
    fn entries_have_the_clocks_time_and_the_etag_of_the_put() {
        let store = MemoryObjects::new(Arc::new(StoppedClock));
        let etag = now(store.put("a", Bytes::from_static(b"x"), PutCondition::IfAbsent)).unwrap();
        let listed = now(store.list(ListRequest::prefix(""))).unwrap().objects;
        assert_eq!(listed, [ObjectEntry { key: "a".into(), size_bytes: 1, etag, modified: Millis(7) }]);
    }
}
