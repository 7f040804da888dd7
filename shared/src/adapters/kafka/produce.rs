//! One message into a producer's queue, byte for byte: the client's safe interface takes header names as text only.

use std::{
    ffi::{CStr, c_void},
    os::raw::c_char,
    ptr,
};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;
use sys::{rd_kafka_vtype_t as Tag, rd_kafka_vu_s__bindgen_ty_1 as Value};

use super::native::Owned;
use crate::record::Header;

/// The partition where the key's hash decides.
pub(super) const BY_KEY: i32 = -1;
/// The timestamp where the client takes the time of day. So 0 itself cannot be written.
pub(super) const NOW: i64 = 0;

/// What goes into the queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) topic: &'a CStr,
    pub(super) partition: i32,
    pub(super) timestamp: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: &'a [Header],
}

/// Puts a message into the queue. Where that fails `opaque` stays the caller's.
///
/// # Safety
/// `client` is a valid producer, and `opaque` what its delivery callback expects.
pub(super) unsafe fn enqueue(client: *mut sys::rd_kafka_t, sent: Sent<'_>, opaque: *mut c_void) -> Result<(), Code> {
    let headers = native_headers(sent.headers);
    let list = headers.as_ref().map_or(ptr::null_mut(), Owned::ptr);
    let arguments = [
        argument(Tag::RD_KAFKA_VTYPE_TOPIC, Value { cstr: sent.topic.as_ptr() }),
        argument(Tag::RD_KAFKA_VTYPE_PARTITION, Value { i32_: sent.partition }),
        argument(Tag::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: sys::RD_KAFKA_MSG_F_COPY }),
        argument(Tag::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: sent.timestamp }),
        argument(Tag::RD_KAFKA_VTYPE_KEY, memory(sent.key)),
        argument(Tag::RD_KAFKA_VTYPE_VALUE, memory(sent.value)),
        argument(Tag::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque }),
        argument(Tag::RD_KAFKA_VTYPE_HEADERS, Value { headers: list }),
    ];
    // SAFETY: the client copies key and value; it takes the headers over when it takes the message.
    let code = unsafe {
        let error = sys::rd_kafka_produceva(client, arguments.as_ptr(), arguments.len());
        let code = Code::from(sys::rd_kafka_error_code(error));
        sys::rd_kafka_error_destroy(error);
        code
    };
    if code == Code::NoError {
        std::mem::forget(headers);
        return Ok(());
    }
    Err(code)
}

/// The headers for the client; `None` for none.
fn native_headers(headers: &[Header]) -> Option<Owned<sys::rd_kafka_headers_t>> {
    if headers.is_empty() {
        return None;
    }
    // SAFETY: the list is ours, and copies names and values; a null value is passed as a null pointer.
    unsafe {
        let list = Owned::new(sys::rd_kafka_headers_new(headers.len()), sys::rd_kafka_headers_destroy)?;
        for header in headers {
            let name = header.name.as_ptr().cast::<c_char>();
            let value = header.value.as_ref().map_or(ptr::null(), |value| value.as_ptr().cast::<c_void>());
            let value_bytes = header.value.as_ref().map_or(0, bytes::Bytes::len);
            sys::rd_kafka_header_add(list.ptr(), name, signed(header.name.len()), value, signed(value_bytes));
        }
        Some(list)
    }
}

fn signed(length: usize) -> isize {
    isize::try_from(length).expect("no slice is longer than isize::MAX")
}

fn argument(vtype: Tag, u: Value) -> sys::rd_kafka_vu_t {
    sys::rd_kafka_vu_t { vtype, u }
}

/// Bytes for the client, which tells no bytes from none by the pointer.
fn memory(bytes: Option<&[u8]>) -> Value {
    let (pointer, size) = bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
    Value { mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: pointer.cast_mut().cast(), size } }
}
