//! Listings to their end, page by page.

use crate::ports::objects::{ListRequest, ObjectEntry, Objects, ObjectsError};

/// All objects whose keys begin with `prefix`, by key. They are kept in memory: for folders that stay small.
pub async fn objects_below(objects: &dyn Objects, prefix: &str) -> Result<Vec<ObjectEntry>, ObjectsError> {
    let (mut found, mut after) = (vec![], String::new());
    loop {
        let page = objects.list(ListRequest { after: &after, ..ListRequest::prefix(prefix) }).await?;
        found.extend(page.objects);
        match page.next_after {
            Some(next) => after = next,
            None => return Ok(found),
        }
    }
}

/// The names of the folders right below `prefix`.
pub(super) async fn folders_below(objects: &dyn Objects, prefix: &str) -> Result<Vec<String>, ObjectsError> {
    let (mut found, mut after) = (vec![], String::new());
    loop {
        let page = objects.list(ListRequest { after: &after, folders: true, ..ListRequest::prefix(prefix) }).await?;
        let names = page.folders.iter().filter_map(|folder| folder.strip_prefix(prefix)?.strip_suffix('/'));
        found.extend(names.map(str::to_owned));
        match page.next_after {
            Some(next) => after = next,
            None => return Ok(found),
        }
    }
}
