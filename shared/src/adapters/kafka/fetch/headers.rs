//! A message's headers byte for byte, through the C client: its safe wrapper panics on a name that is not UTF-8.
//!
//! The C client hands a header's name out as a C string, which a name with a zero byte in it does not fit. It does keep
//! the name's length, beside the name; [`name_bytes_len`] reads it there and checks that it found the right place.

use std::{
    ffi::{CStr, c_void},
    marker::PhantomData,
    os::raw::c_char,
    ptr, slice,
};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

/// What the C client keeps in front of a header's name, in the version this crate is built with.
#[repr(C)]
#[derive(Clone, Copy)]
struct Front {
    wire_bytes: usize,
    value_bytes: usize,
    name_bytes: usize,
    value: *const c_void,
}

// Another version may keep something else there: look at struct rd_kafka_header_s (rdkafka_header.h) when this fails.
const _: () = assert!(sys::RD_KAFKA_VERSION == 0x020c_01ff, "check the layout of rd_kafka_header_s in this version");

/// The headers of one message.
#[derive(Clone, Copy)]
pub(super) struct Headers<'a> {
    list: *const sys::rd_kafka_headers_t,
    count: usize,
    message: PhantomData<&'a sys::rd_kafka_message_t>,
}

impl<'a> Headers<'a> {
    /// The message's headers, or the error by which they cannot be read.
    ///
    /// # Safety
    /// The message is valid as long as `'a`, and no other thread uses it.
    pub(super) unsafe fn of(message: *const sys::rd_kafka_message_t) -> Result<Self, Code> {
        let mut list = ptr::null_mut();
        // SAFETY: as promised; the headers stay the message's.
        let code = Code::from(unsafe { sys::rd_kafka_message_headers(message, &raw mut list) });
        let count = match code {
            // SAFETY: the list was set.
            Code::NoError => unsafe { sys::rd_kafka_header_cnt(list) },
            Code::NoEnt => 0,
            code => return Err(code),
        };
        Ok(Headers { list, count, message: PhantomData })
    }

    pub(super) fn count(self) -> usize {
        self.count
    }

    /// Names and values in their order.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        (0..self.count).map(move |index| self.get(index))
    }

    fn get(self, index: usize) -> (&'a [u8], Option<&'a [u8]>) {
        let (mut name, mut value, mut value_bytes) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the index is below the count, so all three are set, and live as long as the message.
        unsafe {
            sys::rd_kafka_header_get_all(self.list, index, &raw mut name, &raw mut value, &raw mut value_bytes);
            let name = slice::from_raw_parts(name.cast(), name_bytes_len(name, value, value_bytes));
            (name, (!value.is_null()).then(|| slice::from_raw_parts(value.cast(), value_bytes)))
        }
    }
}

/// The length of a header's name. Should its place not be where this version keeps it: up to the first zero byte.
///
/// # Safety
/// The three are one header's.
unsafe fn name_bytes_len(name: *const c_char, value: *const c_void, value_bytes: usize) -> usize {
    // SAFETY: by the check of the version, a header's name stands right behind its front.
    let front = unsafe { name.cast::<Front>().sub(1).read_unaligned() };
    let found = front.value == value && front.value_bytes == value_bytes && front.wire_bytes > front.name_bytes;
    // SAFETY: the name ends with a zero byte.
    if found { front.name_bytes } else { unsafe { CStr::from_ptr(name) }.count_bytes() }
}
