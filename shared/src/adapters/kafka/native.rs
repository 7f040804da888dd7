//! Owners of what the C client hands out, so that everything is given back once.

use std::{
    ffi::CStr,
    os::raw::c_char,
    ptr::{self, NonNull},
    time::Duration,
};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

/// A C object and the function that gives it back.
pub(super) struct Owned<T> {
    pointer: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

// SAFETY: librdkafka's objects may be used and destroyed from any thread.
unsafe impl<T> Send for Owned<T> {}
// SAFETY: as above; what is done through a shared reference is thread safe in librdkafka (queues, clients) or only reads.
unsafe impl<T> Sync for Owned<T> {}

impl<T> Owned<T> {
    /// Takes a pointer over; `None` for a null pointer.
    ///
    /// # Safety
    /// The pointer is null, or valid and nobody else's, and `destroy` is its type's destructor.
    pub(super) unsafe fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Owned { pointer, destroy })
    }

    pub(super) fn ptr(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: by the contract of `new`.
        unsafe { (self.destroy)(self.pointer.as_ptr()) }
    }
}

/// A queue of the C client.
pub(super) struct Queue(Owned<sys::rd_kafka_queue_t>);

impl Queue {
    /// A new queue of a client.
    ///
    /// # Safety
    /// `client` is valid, and outlives the queue.
    pub(super) unsafe fn new(client: *mut sys::rd_kafka_t) -> Self {
        let queue = unsafe { Owned::new(sys::rd_kafka_queue_new(client), sys::rd_kafka_queue_destroy) };
        Queue(queue.expect("librdkafka always makes a queue"))
    }

    /// The queue by which a consumer is told all that has no queue of its own.
    ///
    /// # Safety
    /// `client` is a valid consumer of some group, and outlives the queue.
    pub(super) unsafe fn of_consumer(client: *mut sys::rd_kafka_t) -> Self {
        let queue = unsafe { Owned::new(sys::rd_kafka_queue_get_consumer(client), sys::rd_kafka_queue_destroy) };
        Queue(queue.expect("a consumer of some group has such a queue"))
    }

    /// Whether nothing waits in the queue.
    pub(super) fn is_empty(&self) -> bool {
        // SAFETY: the queue is valid.
        unsafe { sys::rd_kafka_queue_length(self.ptr()) == 0 }
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.0.ptr()
    }

    /// The next event, waiting at most so long.
    pub(super) fn poll(&self, wait: Duration) -> Option<Event> {
        // SAFETY: the queue is valid; the event is ours.
        unsafe {
            let event = sys::rd_kafka_queue_poll(self.ptr(), millis(wait));
            Owned::new(event, sys::rd_kafka_event_destroy).map(Event)
        }
    }

    /// Wakes the thread that waits on this queue.
    pub(super) fn wake(&self) {
        // SAFETY: the queue is valid, and this call may come from any thread.
        unsafe { sys::rd_kafka_queue_yield(self.ptr()) }
    }
}

/// An event of the C client.
pub(super) struct Event(Owned<sys::rd_kafka_event_t>);

impl Event {
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.ptr()
    }
}

/// A text of the C client; empty for a null pointer.
///
/// # Safety
/// The pointer is null or a C string.
pub(super) unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// Milliseconds as the C client takes them.
pub(super) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// An array of the C client as a slice.
///
/// # Safety
/// The pointer is null, or points to `count` values that live as long as `'a`.
pub(super) unsafe fn array<'a, T>(pointer: *const T, count: usize) -> &'a [T] {
    if pointer.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(pointer, count) } }
}

/// Asks any broker what the client knows topics of; where none is connected yet, the client connects at once, instead of
/// at the next beat of its clock, which is a second's.
///
/// # Safety
/// `client` is valid.
pub(super) unsafe fn sign_of_life(client: *mut sys::rd_kafka_t, patience: Duration) -> Result<(), Code> {
    let mut metadata = ptr::null();
    // SAFETY: as promised; no topic but those the client knows is asked for; the answer is given back.
    unsafe {
        let code = sys::rd_kafka_metadata(client, 0, ptr::null_mut(), &raw mut metadata, millis(patience));
        if Code::from(code) != Code::NoError {
            return Err(Code::from(code));
        }
        sys::rd_kafka_metadata_destroy(metadata);
    }
    Ok(())
}
