//! Work on many bytes, done on a thread of its own so that the fetching goes on.

/// Less than this is worked on where one stands.
const INLINE_BYTES_MAX: u64 = 256 << 10;

/// Whether work on so many bytes is done aside.
pub(crate) fn is_large(bytes: u64) -> bool {
    bytes > INLINE_BYTES_MAX
}

/// Does work on so many bytes; a panic in it goes on in the caller.
pub(crate) async fn run<T: Send + 'static>(bytes: u64, work: impl FnOnce() -> T + Send + 'static) -> T {
    if !is_large(bytes) {
        return work();
    }
    shared::aside::run(work).await
}
