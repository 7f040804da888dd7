//! One object that is to be copied.

use shared::ports::objects::Objects;

use crate::watch::Watch;

/// One object, and where it goes.
pub(crate) struct Copy<'a> {
    pub source: &'a dyn Objects,
    pub source_key: &'a str,
    pub location: &'a dyn Objects,
    pub location_key: &'a str,
    /// The object's size as far as it is known: a large one is copied part by part.
    pub size_bytes: u64,
    /// Who is told of each part.
    pub watch: Option<&'a Watch<'a>>,
}
