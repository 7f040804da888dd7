//! Progress bars, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A count of objects looked at, whose total is not known.
#[must_use]
pub fn objects(what: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}: {human_pos} objects, {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style).with_message(what)
}

/// A count of bytes on the way to a known total.
#[must_use]
pub fn bytes(what: String, total: u64) -> ProgressBar {
    let template = "{msg} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(what)
}

/// A count of records on the way to a known total.
#[must_use]
pub fn records(what: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} records, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(what)
}
