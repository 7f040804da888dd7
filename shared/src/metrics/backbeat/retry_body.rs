//! The body of `POST crr/failed`: `[{"Bucket","Key","VersionId"?,"StorageClass","ForceRetry"?}]`.

use serde_json::Value;

use super::error::ErrorAnswer;

const REQUIRED: [&str; 3] = ["Bucket", "Key", "StorageClass"];

/// An operation that is to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The object's bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its version; absent: any that failed.
    pub version_id: Option<String>,
    /// The location.
    pub location: String,
}

/// The operations that the body names.
///
/// # Errors
/// The answer that says what is wrong with it.
pub fn parse(body: &[u8]) -> Result<Vec<Retry>, ErrorAnswer> {
    let entries: Value = serde_json::from_slice(body).map_err(|_| ErrorAnswer::malformed_post(""))?;
    let entries = entries.as_array().filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| ErrorAnswer::malformed_post(": body must be a non-empty array"))?;
    entries.iter().map(entry).collect()
}

fn entry(entry: &Value) -> Result<Retry, ErrorAnswer> {
    let entry = entry.as_object().ok_or_else(|| ErrorAnswer::malformed_post(": body must be an array of objects"))?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let needed = |name: &str| {
        text(name).ok_or_else(|| ErrorAnswer::malformed_post(&format!(": {name} must be a non-empty string")))
    };
    let [bucket, key, location] = REQUIRED.map(needed);
    Ok(Retry { bucket: bucket?, key: key?, location: location?, version_id: text("VersionId") })
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
            assert_eq!(parse(body.as_bytes()), Err(ErrorAnswer::malformed_post(why)), "{body}");
        }
        let retry = Retry { bucket: "b".into(), key: "k".into(), version_id: None, location: "s".into() };
        assert_eq!(parse(br#"[{"Bucket":"b","Key":"k","StorageClass":"s"}]"#), Ok(vec![retry]));
    }

    #[test]
    fn a_body_of_a_million_brackets_is_refused() {
        assert_eq!(parse(&vec![b'['; 1_000_000]), Err(ErrorAnswer::malformed_post("")));
    }
}
