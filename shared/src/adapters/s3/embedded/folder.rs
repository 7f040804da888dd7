//! A folder as an object store: a folder for each bucket, a plain file for each object. Blocking calls.
//!
//! - An object appears whole or not at all: its file is written beside the buckets and renamed into its place.
//! - A condition is checked and the rename done under one lock, so of racing creates exactly one succeeds.
//! - The entity tag is the file's modification time, which is made unique to the nanosecond, and its size: one attribute of
//!   one file, so no crash can leave a tag that belongs to another content.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::ports::{clock::Clock, objects::ETag};

/// Files that are not yet in place. No bucket's name begins with a dot.
const UNFINISHED: &str = ".unfinished";
const LOCK: &str = ".lock";
const NAME_BYTES_MAX: usize = 255;

/// A folder that this process alone serves.
pub(super) struct Folder<C> {
    root: PathBuf,
    clock: C,
    /// When the last object was written, in nanoseconds since 1970. Held while a bucket is changed.
    last_write_ns: Mutex<u64>,
    unfinished: AtomicU64,
    /// Unlocked when it is closed, also by a crash.
    _lock: fs::File,
}

/// What a file says of its object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attributes {
    pub size_bytes: u64,
    pub modified: SystemTime,
    pub etag: ETag,
}

/// When a write may take effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    IfAbsent,
    IfPresent,
    IfMatch(ETag),
}

/// Why a folder did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error("no such bucket")]
    NoSuchBucket,
    #[error("the condition does not hold")]
    PreconditionFailed,
    #[error("this key cannot be a file's path here: {0}")]
    UnsupportedKey(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl<C: Clock> Folder<C> {
    /// Opens a folder, makes it if need be, and removes what writes left unfinished. Fails with `WouldBlock` where another
    /// process serves it.
    pub(super) fn open(root: &Path, clock: C) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let lock = fs::File::create(root.join(LOCK))?;
        lock.try_lock()?;
        let unfinished = root.join(UNFINISHED);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&unfinished)?,
        }
        Ok(Folder {
            root: root.to_owned(),
            clock,
            last_write_ns: Mutex::new(0),
            unfinished: AtomicU64::new(0),
            _lock: lock,
        })
    }

    pub(super) fn create_bucket(&self, bucket: &str) -> io::Result<()> {
        fs::create_dir_all(self.root.join(bucket))
    }

    /// The buckets by name, each with its date.
    pub(super) fn buckets(&self) -> io::Result<Vec<(String, SystemTime)>> {
        let mut buckets = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if entry.file_type()?.is_dir() && !name.starts_with('.') && !name.is_empty() {
                buckets.push((name, entry.metadata()?.modified()?));
            }
        }
        buckets.sort();
        Ok(buckets)
    }

    /// The folder of a bucket.
    pub(super) fn bucket(&self, bucket: &str) -> Result<PathBuf, FolderError> {
        let path = self.root.join(bucket);
        if path.is_dir() { Ok(path) } else { Err(FolderError::NoSuchBucket) }
    }

    /// Writes an object whole.
    pub(super) fn put(
        &self,
        bucket: &str,
        key: &str,
        body: &[u8],
        condition: &Condition,
    ) -> Result<Attributes, FolderError> {
        let path = self.bucket(bucket)?.join(relative_path(key)?);
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.root.join(UNFINISHED).join(number.to_string());
        let written = write_file(&unfinished, body)
            .map_err(FolderError::Io)
            .and_then(|file| self.place(&file, &unfinished, &path, condition));
        if written.is_err() {
            // What cannot be removed now is when the folder is opened again.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Puts a written file in its place, if the condition holds.
    fn place(&self, file: &fs::File, from: &Path, to: &Path, condition: &Condition) -> Result<Attributes, FolderError> {
        let mut last_write_ns = self.last_write_ns.lock().unwrap_or_else(PoisonError::into_inner);
        let found = attributes(to)?;
        let holds = match condition {
            Condition::Always => true,
            Condition::IfAbsent => found.is_none(),
            Condition::IfPresent => found.is_some(),
            Condition::IfMatch(etag) => found.is_some_and(|found| found.etag == *etag),
        };
        if !holds {
            return Err(FolderError::PreconditionFailed);
        }
        let now_ns = u64::try_from(self.clock.now().0).unwrap_or_default().saturating_mul(1_000_000);
        *last_write_ns = now_ns.max(*last_write_ns + 1);
        file.set_modified(UNIX_EPOCH + Duration::from_nanos(*last_write_ns))?;
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(as_unsupported)?;
        }
        fs::rename(from, to).map_err(as_unsupported)?;
        attributes(to)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
    }

    /// An object's attributes and open file; `None` when there is no such object. A later overwrite does not change what
    /// is read from the file.
    pub(super) fn get(&self, bucket: &str, key: &str) -> Result<Option<(fs::File, Attributes)>, FolderError> {
        let bucket = self.bucket(bucket)?;
        let Ok(path) = relative_path(key) else { return Ok(None) };
        let Some(file) = absent_is_none(fs::File::open(bucket.join(path)))? else { return Ok(None) };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        Ok(Some((file, attributes_of(&metadata)?)))
    }

    /// Deletes an object and the folders that it leaves empty; deleting none is no error.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> Result<(), FolderError> {
        let bucket = self.bucket(bucket)?;
        let Ok(path) = relative_path(key) else { return Ok(()) };
        let _held = self.last_write_ns.lock().unwrap_or_else(PoisonError::into_inner);
        let path = bucket.join(path);
        if path.is_dir() || absent_is_none(fs::remove_file(&path))?.is_none() {
            return Ok(());
        }
        let folders = path.ancestors().skip(1).take_while(|folder| **folder != bucket);
        // The first that is not empty ends it.
        folders.map(fs::remove_dir).take_while(Result::is_ok).for_each(drop);
        Ok(())
    }
}

fn write_file(path: &Path, body: &[u8]) -> io::Result<fs::File> {
    let mut file = fs::File::create_new(path)?;
    io::Write::write_all(&mut file, body)?;
    file.sync_data()?;
    Ok(file)
}

/// A key as a path below its bucket.
pub(super) fn relative_path(key: &str) -> Result<PathBuf, FolderError> {
    let plain = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES_MAX && !name.contains('\0');
    if key.split('/').all(plain) {
        return Ok(PathBuf::from(key));
    }
    Err(FolderError::UnsupportedKey(format!("a part of it is empty, `.`, `..`, or longer than {NAME_BYTES_MAX} bytes")))
}

fn as_unsupported(error: io::Error) -> FolderError {
    match error.kind() {
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::DirectoryNotEmpty => {
            FolderError::UnsupportedKey("another object's key is its folder, or its own is another's".into())
        }
        _ => error.into(),
    }
}

/// The attributes of the object at a path; `None` when there is none.
pub(super) fn attributes(path: &Path) -> Result<Option<Attributes>, FolderError> {
    match absent_is_none(fs::metadata(path))? {
        Some(metadata) if metadata.is_file() => Ok(Some(attributes_of(&metadata)?)),
        _ => Ok(None),
    }
}

fn attributes_of(metadata: &fs::Metadata) -> io::Result<Attributes> {
    let modified = metadata.modified()?;
    let since_1970_ns = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let size_bytes = metadata.len();
    // With a hyphen it cannot be taken for the MD5 of the content.
    Ok(Attributes { size_bytes, modified, etag: ETag(format!("\"{since_1970_ns:x}-{size_bytes:x}\"")) })
}

/// A path that leads through a file leads to no object.
pub(super) fn absent_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Millis;

    struct StoppedClock;
    impl Clock for StoppedClock {
        fn now(&self) -> Millis {
            Millis(1_000)
        }
    }

    fn folder(root: &tempfile::TempDir) -> Folder<StoppedClock> {
        let folder = Folder::open(root.path(), StoppedClock).unwrap();
        folder.create_bucket("b").unwrap();
        folder
    }

    #[test]
    fn each_write_has_a_tag_of_its_own_however_fast_they_follow() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root);
        let tags: std::collections::HashSet<_> =
            (0..50).map(|_| folder.put("b", "k", b"same", &Condition::Always).unwrap().etag.0).collect();
        assert_eq!(tags.len(), 50);
    }

    #[test]
    fn an_object_has_the_same_tag_after_a_restart_and_what_was_unfinished_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let first = folder(&root);
        let written = first.put("b", "a/=x/k", b"1", &Condition::IfAbsent).unwrap();
        drop(first);
        let torn = root.path().join(UNFINISHED).join("0");
        fs::write(&torn, b"torn").unwrap();
        let again = folder(&root);
        assert_eq!(again.get("b", "a/=x/k").unwrap().unwrap().1, written);
        assert!(!torn.exists());
        assert!(matches!(again.put("b", "a/=x/k", b"2", &Condition::IfAbsent), Err(FolderError::PreconditionFailed)));
        assert_eq!(fs::read_dir(root.path().join(UNFINISHED)).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_is_served_by_one_process_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let _first = folder(&root);
        assert_eq!(Folder::open(root.path(), StoppedClock).err().unwrap().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_key_cannot_leave_its_bucket_or_be_anothers_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root);
        folder.put("b", "a", b"1", &Condition::Always).unwrap();
        for key in ["", "../x", "a/../../x", "/etc/x", "a//b", "d/", ".", "a/b", &"n".repeat(256)] {
            let refused = folder.put("b", key, b"1", &Condition::Always);
            assert!(matches!(refused, Err(FolderError::UnsupportedKey(_))), "{key}: {refused:?}");
            assert!(folder.get("b", key).unwrap().is_none(), "{key}");
            folder.delete("b", key).unwrap();
        }
        assert!(folder.get("b", "a").unwrap().is_some());
        assert!(matches!(folder.get("c", "a"), Err(FolderError::NoSuchBucket)));
    }

    #[test]
    fn folders_that_a_delete_leaves_empty_go_with_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(&root);
        folder.put("b", "x/y/1", b"", &Condition::Always).unwrap();
        folder.put("b", "x/2", b"", &Condition::Always).unwrap();
        folder.delete("b", "x/y").unwrap();
        assert!(folder.get("b", "x/y/1").unwrap().is_some());
        folder.delete("b", "x/y/1").unwrap();
        assert!(!root.path().join("b/x/y").exists() && root.path().join("b/x").exists());
        folder.delete("b", "x/2").unwrap();
        assert!(root.path().join("b").exists() && !root.path().join("b/x").exists());
    }
}
