//! A page of a bucket's keys, in byte order, reading only the folders that can hold some of it.

use std::{fs, io, path::Path, time::UNIX_EPOCH};

use super::folder::{Attributes, FolderError, absent_is_none, attributes, relative_path};
use crate::{
    ports::objects::{ListPage, ListRequest, ObjectEntry},
    record::Millis,
};

/// One page of the keys in the folder of a bucket.
pub(super) fn page(bucket: &Path, request: ListRequest<'_>) -> Result<ListPage, FolderError> {
    let mut walk = Walk { request, page: ListPage::default(), last: String::new() };
    let deepest = &request.prefix[..request.prefix.rfind('/').map_or(0, |slash| slash + 1)];
    let start = match deepest.strip_suffix('/') {
        None => bucket.to_owned(),
        // No object has such a key.
        Some(folder) => match relative_path(folder) {
            Ok(folder) => bucket.join(folder),
            Err(_) => return Ok(ListPage::default()),
        },
    };
    walk.folder(&start, deepest)?;
    Ok(walk.page)
}

struct Walk<'a> {
    request: ListRequest<'a>,
    page: ListPage,
    last: String,
}

/// Whether the walk goes on.
#[derive(PartialEq, Eq)]
enum Walked {
    On,
    Full,
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path, key: &str) -> Result<Walked, FolderError> {
        for name in names(path)? {
            let key = format!("{key}{name}");
            let path = path.join(name.trim_end_matches('/'));
            let walked = match name.ends_with('/') {
                true if !self.may_hold(&key) => Walked::On,
                true if self.request.folder_of(&key).is_some() => self.fold(&path, key)?,
                true => self.folder(&path, &key)?,
                false if key.starts_with(self.request.prefix) && key.as_str() > self.request.after => {
                    self.object(&path, key)?
                }
                false => Walked::On,
            };
            if walked == Walked::Full {
                return Ok(Walked::Full);
            }
        }
        Ok(Walked::On)
    }

    /// Whether a folder can hold keys of the request.
    fn may_hold(&self, folder: &str) -> bool {
        let ListRequest { prefix, after, .. } = self.request;
        (folder.starts_with(prefix) || prefix.starts_with(folder)) && (folder > after || after.starts_with(folder))
    }

    fn fold(&mut self, path: &Path, key: String) -> Result<Walked, FolderError> {
        if self.request.after.starts_with(&key) || !holds_an_object(path)? {
            return Ok(Walked::On);
        }
        if self.is_full() {
            return Ok(Walked::Full);
        }
        self.last.clone_from(&key);
        self.page.folders.push(key);
        Ok(Walked::On)
    }

    fn object(&mut self, path: &Path, key: String) -> Result<Walked, FolderError> {
        // One that was deleted meanwhile is passed over.
        let Some(attributes) = attributes(path)? else { return Ok(Walked::On) };
        if self.is_full() {
            return Ok(Walked::Full);
        }
        self.last.clone_from(&key);
        self.page.objects.push(entry(key, attributes));
        Ok(Walked::On)
    }

    fn is_full(&mut self) -> bool {
        let full = self.page.objects.len() + self.page.folders.len() == self.request.limit_clamped();
        if full {
            self.page.next_after = Some(self.last.clone());
        }
        full
    }
}

fn entry(key: String, attributes: Attributes) -> ObjectEntry {
    let modified_ms = attributes.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let modified = Millis(i64::try_from(modified_ms).unwrap_or(i64::MAX));
    ObjectEntry { key, size_bytes: attributes.size_bytes, etag: attributes.etag, modified }
}

/// The names in a folder in the byte order of keys: a folder's ends in `/`, so `a-b` comes before what is in `a/`.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = absent_is_none(fs::read_dir(path))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        names.push(if entry.file_type()?.is_dir() { format!("{name}/") } else { name });
    }
    names.sort_unstable();
    Ok(names)
}

fn holds_an_object(path: &Path) -> io::Result<bool> {
    for name in names(path)? {
        match name.strip_suffix('/') {
            Some(folder) if !holds_an_object(&path.join(folder))? => {}
            _ => return Ok(true),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn paging_gives_what_a_sorted_list_of_keys_holds(
            keys in proptest::collection::btree_set("[ab](-[ab]|/[ab]|/[ab]/[ab]|/-)", 0..8),
            prefix in "(|a|a/|b/a|a/a/)",
            after in "(|a|a-|a/a|a/a/|b)",
            folders: bool,
            limit in 1_usize..4,
        ) {
            let bucket = tempfile::tempdir().unwrap();
            let keys: BTreeSet<String> = keys.iter().filter(|key| !keys.iter().any(|other| other.starts_with(&format!("{key}/")))).cloned().collect();
            for key in &keys {
                let path = bucket.path().join(key);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, b"").unwrap();
            }
            let whole = ListRequest { prefix: &prefix, after: &after, folders, limit };
            let mut wanted: Vec<&str> = keys.iter().filter(|key| key.starts_with(&prefix)).map(|key| whole.folder_of(key).unwrap_or(key)).collect();
            wanted.dedup();
            wanted.retain(|name| *name > after.as_str() && !(folders && name.ends_with('/') && after.starts_with(name)));
            let (mut got, mut next) = (Vec::new(), Some(after.clone()));
            while let Some(after) = next {
                let page = page(bucket.path(), ListRequest { after: &after, ..whole }).unwrap();
                let mut names: Vec<String> = page.objects.into_iter().map(|object| object.key).chain(page.folders).collect();
                names.sort();
                prop_assert!(names.len() <= limit);
                got.extend(names);
                next = page.next_after;
            }
            prop_assert_eq!(got, wanted);
        }
    }

    #[test]
    fn an_empty_folder_is_not_listed() {
        let bucket = tempfile::tempdir().unwrap();
        fs::create_dir_all(bucket.path().join("a/b/c")).unwrap();
        assert_eq!(
            page(bucket.path(), ListRequest { folders: true, ..ListRequest::prefix("") }).unwrap(),
            ListPage::default()
        );
    }
}
