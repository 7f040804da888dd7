//! A page of a listing, from what the store answers: pure.

use aws_sdk_s3::{operation::list_objects_v2::ListObjectsV2Output, types::Object as S3Object};

use crate::{
    ports::objects::{ETag, ListPage, ListRequest, ObjectEntry},
    record::Millis,
};

/// Where to start so that a folder which `after` lies in does not come again: beyond everything in it. No key has this
/// last of all characters.
pub(super) fn start_after(request: &ListRequest<'_>) -> Option<String> {
    match request.folder_of(request.after) {
        Some(folder) => Some(format!("{folder}\u{10FFFF}")),
        None if request.after.is_empty() => None,
        None => Some(request.after.to_owned()),
    }
}

/// The page, with keys relative to the store's prefix. A store that lists out of order, or again what it listed before,
/// is told: the chain's frontier depends on the order.
pub(super) fn page(
    request: &ListRequest<'_>,
    key_prefix: &str,
    output: ListObjectsV2Output,
) -> Result<ListPage, String> {
    let truncated = output.is_truncated.unwrap_or_default();
    let relative = |key: Option<String>| {
        key.and_then(|key| key.strip_prefix(key_prefix).map(str::to_owned))
            .ok_or("the store lists a key outside the prefix")
    };
    let mut page = ListPage::default();
    for object in output.contents.unwrap_or_default() {
        page.objects.push(entry(relative(object.key.clone())?, &object)?);
    }
    for folder in output.common_prefixes.unwrap_or_default() {
        page.folders.push(relative(folder.prefix)?);
    }
    let ascending = page.objects.is_sorted_by(|a, b| a.key < b.key) && page.folders.is_sorted_by(|a, b| a < b);
    let first = page.objects.first().map(|object| &object.key).into_iter().chain(page.folders.first()).min();
    if !ascending || first.is_some_and(|first| first.as_str() <= request.after) {
        return Err(format!(
            "the store does not list keys in order, each after {:?}, which a backup needs: choose another store",
            request.after
        ));
    }
    if truncated {
        let last = page.objects.last().map(|object| &object.key).into_iter().chain(page.folders.last()).max();
        page.next_after = Some(last.ok_or("the store gives an empty page of a longer listing")?.clone());
    }
    Ok(page)
}

fn entry(key: String, object: &S3Object) -> Result<ObjectEntry, String> {
    let etag = object.e_tag.clone().ok_or_else(|| format!("the store lists {key} without an entity tag"))?;
    let modified = object
        .last_modified
        .and_then(|time| time.to_millis().ok())
        .ok_or_else(|| format!("the store lists {key} without a date"))?;
    let size_bytes = object
        .size
        .and_then(|size| u64::try_from(size).ok())
        .ok_or_else(|| format!("the store lists {key} without a size"))?;
    Ok(ObjectEntry { key, size_bytes, etag: ETag(etag), modified: Millis(modified) })
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::{primitives::DateTime, types::CommonPrefix};

    use super::*;

    fn answer(keys: &[&str], folders: &[&str], truncated: bool) -> ListObjectsV2Output {
        let object = |key: &&str| {
            S3Object::builder().key(*key).size(1).e_tag("\"t\"").last_modified(DateTime::from_millis(1_500)).build()
        };
        let folder = |prefix: &&str| CommonPrefix::builder().prefix(*prefix).build();
        ListObjectsV2Output::builder()
            .set_contents(Some(keys.iter().map(object).collect()))
            .set_common_prefixes(Some(folders.iter().map(folder).collect()))
            .is_truncated(truncated)
            .build()
    }

    #[test]
    fn a_truncated_page_goes_on_after_its_greatest_key_or_folder() {
        let request = ListRequest { folders: true, ..ListRequest::prefix("") };
        let page = page(&request, "p/", answer(&["p/a", "p/c"], &["p/b/", "p/d/"], true)).unwrap();
        assert_eq!(page.next_after.as_deref(), Some("d/"));
        assert_eq!(page.folders, ["b/", "d/"]);
        assert_eq!(
            page.objects[1],
            ObjectEntry { key: "c".into(), size_bytes: 1, etag: ETag("\"t\"".into()), modified: Millis(1_500) }
        );
    }

    #[test]
    fn a_store_that_lists_out_of_order_or_again_is_told() {
        let request = ListRequest { after: "b", ..ListRequest::prefix("") };
        for answer in [
            answer(&["d", "c"], &[], false),
            answer(&["b", "c"], &[], false),
            answer(&[], &[], true),
            answer(&["q/x"], &[], false),
        ] {
            let prefix = if answer.contents().first().is_some_and(|o| o.key() == Some("q/x")) { "p/" } else { "" };
            assert!(page(&request, prefix, answer).is_err());
        }
    }

    #[test]
    fn a_folder_that_was_listed_is_passed_over_whole() {
        let within = |after| start_after(&ListRequest { after, folders: true, ..ListRequest::prefix("p/") });
        assert_eq!(within("p/a/").as_deref(), Some("p/a/\u{10FFFF}"));
        assert_eq!(within("p/a/b/c").as_deref(), Some("p/a/\u{10FFFF}"));
        assert_eq!(within("p/a").as_deref(), Some("p/a"));
        assert_eq!(within(""), None);
    }
}
