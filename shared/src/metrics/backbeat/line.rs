//! A request, and its line taken apart.

use percent_encoding::percent_decode_str;

use super::error::ErrorAnswer;

/// A request as it came: nothing of it is decoded.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// Path and query as they stand in the request line.
    pub target: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// The path after the prefix, taken apart.
pub(super) struct Line<'a> {
    pub tail: &'a str,
    pub segments: Vec<&'a str>,
    query: &'a str,
}

impl<'a> Line<'a> {
    pub(super) fn new(tail: &'a str) -> Self {
        let without_fragment = tail.split_once('#').map_or(tail, |(before, _)| before);
        let (path, query) = without_fragment.split_once('?').unwrap_or((without_fragment, ""));
        Line { tail, segments: path.split('/').collect(), query }
    }

    /// A segment; an empty one is none.
    pub(super) fn segment(&self, index: usize) -> Option<&'a str> {
        self.segments.get(index).copied().filter(|segment| !segment.is_empty())
    }

    /// The values of a query parameter, decoded and joined; `None` when it is not there.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let values: Vec<String> = pairs.filter(|(key, _)| *key == name).map(|(_, value)| decode(value)).collect();
        (!values.is_empty()).then(|| values.join(","))
    }

    pub(super) fn not_found(&self) -> ErrorAnswer {
        ErrorAnswer::no_such_path(self.tail)
    }
}

/// Form decoding, as Node's querystring: `+` is a space, what is wrongly encoded stays as it is.
fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
