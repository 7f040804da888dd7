//! The name somebody may have meant.

/// The candidate with the fewest edits from `given`.
pub(super) fn nearest(given: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    candidates.min_by_key(|candidate| strsim::damerau_levenshtein(given, candidate))
}
