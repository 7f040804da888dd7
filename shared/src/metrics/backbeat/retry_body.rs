//! The body of `POST crr/failed`: `[{"Bucket","Key","VersionId"?,"StorageClass","ForceRetry"?}]`.

use serde_json::Value;

use super::error::ErrorAnswer;

const REQUIRED: [&str; 3] = ["Bucket", "Key", "StorageClass"];

/// Whether the body names operations to retry.
///
/// # Errors
/// The answer that says what is wrong with it.
pub fn check(body: &[u8]) -> Result<(), ErrorAnswer> {
    let entries: Value = serde_json::from_slice(body).map_err(|_| ErrorAnswer::malformed_post(""))?;
    let entries = entries.as_array().filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| ErrorAnswer::malformed_post(": body must be a non-empty array"))?;
    entries.iter().try_for_each(check_entry)
}

fn check_entry(entry: &Value) -> Result<(), ErrorAnswer> {
    let entry = entry.as_object().ok_or_else(|| ErrorAnswer::malformed_post(": body must be an array of objects"))?;
    let is_text = |name: &&str| entry.get(*name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    match REQUIRED.iter().find(|name| !is_text(name)) {
        Some(name) => Err(ErrorAnswer::malformed_post(&format!(": {name} must be a non-empty string"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_body_says_what_is_wrong() {
        let cases = [
            ("", ""),
            ("[[[", ""),
            ("{}", ": body must be a non-empty array"),
            ("[]", ": body must be a non-empty array"),
            ("[1]", ": body must be an array of objects"),
            ("[null]", ": body must be an array of objects"),
            (r#"[{"Bucket":"b","Key":"","StorageClass":"s"}]"#, ": Key must be a non-empty string"),
            (r#"[{"Bucket":1,"Key":"k","StorageClass":"s"}]"#, ": Bucket must be a non-empty string"),
        ];
        for (body, why) in cases {
            assert_eq!(check(body.as_bytes()), Err(ErrorAnswer::malformed_post(why)), "{body}");
        }
        assert_eq!(check(br#"[{"Bucket":"b","Key":"k","StorageClass":"s"}]"#), Ok(()));
    }

    #[test]
    fn a_body_of_a_million_brackets_is_refused() {
        assert_eq!(check(&vec![b'['; 1_000_000]), Err(ErrorAnswer::malformed_post("")));
    }
}
