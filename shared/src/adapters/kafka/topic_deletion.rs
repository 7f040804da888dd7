//! Deleting a topic.

use std::ffi::CString;

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::{
    admin::{Admin, Failed},
    errors,
    native::{self, Event, Owned},
    topics,
};
use crate::ports::records::RecordsError;

const DELETE: &str = "delete topic";

/// Deletes a topic, and waits until the brokers know it no more. One that is not there is no error.
pub(super) fn delete(admin: &Admin, name: &str) -> Result<(), RecordsError> {
    // A name that holds a zero byte is no topic's.
    let Ok(c_name) = CString::new(name) else { return Ok(()) };
    // SAFETY: the name is valid during the call, which copies it.
    let topic =
        unsafe { Owned::new(sys::rd_kafka_DeleteTopic_new(c_name.as_ptr()), sys::rd_kafka_DeleteTopic_destroy) };
    let Some(topic) = topic else { return Err(admin.errors().of(DELETE, name, Code::InvalidArgument, "")) };
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS);
    let event = admin.request(DELETE, name, |client, queue| {
        let mut topics = [topic.ptr()];
        // SAFETY: all pointers are valid during the call, which copies the topic.
        unsafe { sys::rd_kafka_DeleteTopics(client, topics.as_mut_ptr(), 1, options.ptr(), queue) }
    })?;
    deleted(admin, name, &event)?;
    wait_until_gone(admin, name)
}

fn deleted(admin: &Admin, name: &str, event: &Event) -> Result<(), RecordsError> {
    let mut count = 0;
    // SAFETY: the event answers DeleteTopics and outlives the array; texts are copied.
    let results = unsafe {
        let result = sys::rd_kafka_event_DeleteTopics_result(event.ptr());
        let topics = native::array(sys::rd_kafka_DeleteTopics_result_topics(result, &raw mut count), count);
        topics.iter().map(|topic| {
            let code = Code::from(sys::rd_kafka_topic_result_error(*topic));
            (code, native::text(sys::rd_kafka_topic_result_error_string(*topic)))
        })
    };
    for (code, detail) in results {
        if !matches!(code, Code::NoError | Code::UnknownTopicOrPartition | Code::UnknownTopic) {
            return Err(admin.errors().of(DELETE, name, code, &detail));
        }
    }
    Ok(())
}

/// The controller answers before all brokers know.
fn wait_until_gone(admin: &Admin, name: &str) -> Result<(), RecordsError> {
    let gone = || match topics::describe(admin, &[name.into()]) {
        Ok(topics) if topics.is_empty() => Ok(()),
        Ok(_) => Err(admin.failed(DELETE, name, Code::LeaderNotAvailable, "it is still there")),
        Err(error) => Err(Failed { code: Code::Fail, error }),
    };
    Ok(admin.retrying(errors::is_passing, gone)?)
}
