//! Fields of log lines as people read them: an error that the message tells already is not told again, but for its causes.

use std::{error::Error, fmt};

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::{RecordFields, VisitOutput as _},
    fmt::{
        FormatFields,
        format::{DefaultVisitor, Writer},
    },
};

const MESSAGE: &str = "message";

/// Writes fields.
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut message = Message::default();
        fields.record(&mut message);
        let mut once = Once { message: message.0, inner: DefaultVisitor::new(writer, true) };
        fields.record(&mut once);
        once.inner.finish()
    }
}

/// The message alone.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            self.0 = format!("{value:?}");
        }
    }
}

struct Once<'w> {
    message: String,
    inner: DefaultVisitor<'w>,
}

impl Visit for Once<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.inner.record_debug(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.inner.record_str(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut chain = std::iter::successors(Some(value), |cause| (*cause).source());
        let untold = chain.find(|cause| !self.message.contains(&cause.to_string()));
        if let Some(error) = untold {
            self.inner.record_error(field, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::fmt as layer;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the lane stopped")]
    struct Stopped(#[source] io::Error);

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged, without the time.
    fn logged(log: impl FnOnce()) -> String {
        let kept = Lines::default();
        let writer = kept.clone();
        let logs = layer().fmt_fields(Fields).without_time().with_ansi(false).with_target(false);
        let logs = logs.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(logs, log);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_error_that_the_message_tells_is_told_once_and_its_cause_behind_it() {
        let error = Stopped(io::Error::other("no space left"));
        let line = logged(|| tracing::warn!(partition = 7, error = &error as &dyn Error, "{error}; the others go on"));
        assert_eq!(line, " WARN the lane stopped; the others go on partition=7 error=no space left\n");
        let error = io::Error::other("no space left");
        let line = logged(|| tracing::warn!(error = &error as &dyn Error, "{error}"));
        assert_eq!(line, " WARN no space left\n");
    }

    #[test]
    fn an_error_that_the_message_does_not_tell_is_told_with_its_cause() {
        let error = Stopped(io::Error::other("no space left"));
        let line = logged(|| tracing::warn!(name = "a", error = &error as &dyn Error, "it failed"));
        assert_eq!(line, " WARN it failed name=\"a\" error=the lane stopped error.sources=[no space left]\n");
    }
}
