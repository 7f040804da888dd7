//! Work on many bytes runs on a blocking thread, so that fetching goes on meanwhile.

/// Work on fewer bytes runs in place.
const INLINE_BYTES_MAX: u64 = 256 << 10;

/// Whether work on so many bytes goes to a blocking thread.
pub(crate) fn is_large(bytes: u64) -> bool {
    bytes > INLINE_BYTES_MAX
}

/// Runs work on so many bytes. A panic in it goes on in the caller.
pub(crate) async fn run<T: Send + 'static>(bytes: u64, work: impl FnOnce() -> T + Send + 'static) -> T {
    if !is_large(bytes) {
        return work();
    }
    shared::blocking::run(work).await
}
