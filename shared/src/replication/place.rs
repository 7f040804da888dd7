//! Which key an object has at a location.
//!
//! Of the storage's objects it is the key below the storage's prefix: so a location that holds a backup is a storage
//! itself. Any other object lies in `=objects/<bucket>/<key>`, which is part of no backup.

use crate::config::StorageSettings;

/// The folder of objects that are of no backup.
pub const OTHER_OBJECTS: &str = "=objects/";

/// Where the storage's own objects are: a bucket, and a prefix in it (empty, or ending in `/`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlace {
    /// The bucket.
    pub bucket: String,
    /// The prefix.
    pub prefix: String,
}

impl SourcePlace {
    /// The place of a storage.
    #[must_use]
    pub fn of(storage: &StorageSettings) -> Self {
        SourcePlace { bucket: storage.url.bucket().to_owned(), prefix: storage.url.key_prefix().to_owned() }
    }

    /// What tells this storage from those of other installations: `<bucket>` or `<bucket>/<prefix>`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned()
    }

    /// The whole key of a key of the storage.
    #[must_use]
    pub fn whole_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The key below the storage's prefix, where the object is the storage's.
    #[must_use]
    pub fn own_key<'k>(&self, bucket: &str, key: &'k str) -> Option<&'k str> {
        if bucket == self.bucket { key.strip_prefix(&*self.prefix).filter(|key| !key.is_empty()) } else { None }
    }

    /// The key that an object has at a location.
    #[must_use]
    pub fn key_at_location(&self, bucket: &str, key: &str) -> String {
        match self.own_key(bucket, key) {
            Some(own) => own.to_owned(),
            None => format!("{OTHER_OBJECTS}{bucket}/{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storages_objects_keep_their_keys_and_others_go_into_a_folder_of_their_own() {
        let place = SourcePlace { bucket: "b".into(), prefix: "backups/".into() };
        assert_eq!(place.key_at_location("b", "backups/main/=owner.json"), "main/=owner.json");
        assert_eq!(place.key_at_location("b", "photos/1.jpg"), "=objects/b/photos/1.jpg");
        assert_eq!(place.key_at_location("c", "backups/x"), "=objects/c/backups/x");
        assert_eq!(place.key_at_location("b", "backups/"), "=objects/b/backups/");
        assert_eq!(place.whole_key("main/x"), "backups/main/x");
        assert_eq!(place.name(), "b/backups");
        assert_eq!(SourcePlace { prefix: String::new(), ..place }.name(), "b");
    }
}
