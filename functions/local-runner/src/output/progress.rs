//! Progress bars, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A count of objects looked at, whose total is not known.
#[must_use]
pub fn objects(what: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}: {human_pos} objects, {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_message(what)
}
