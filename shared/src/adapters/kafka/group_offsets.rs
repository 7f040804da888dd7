//! A group's committed offsets, read and written without being a member of it.

use std::ffi::CString;

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::{
    admin::{Admin, Failed},
    errors,
    native::{self, Event, Owned},
    partitions::{self, Answers},
};
use crate::{
    ports::records::RecordsError,
    record::{Offset, TopicPartition},
};

pub(super) const COMMITTED: &str = "read committed offsets";
pub(super) const COMMIT: &str = "commit offsets";

/// The committed offsets in the order asked for.
pub(super) fn committed(
    admin: &Admin,
    group: &str,
    asked: &[TopicPartition],
) -> Result<Vec<Option<Offset>>, RecordsError> {
    if asked.is_empty() {
        return Ok(vec![]);
    }
    let name = group_name(admin, COMMITTED, group)?;
    let list = partitions::list(asked.iter().map(|partition| (partition, 0)));
    // SAFETY: name and list are valid during the call, which copies them.
    let request = unsafe {
        let request = sys::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), list.ptr());
        Owned::new(request, sys::rd_kafka_ListConsumerGroupOffsets_destroy).expect("librdkafka always makes a request")
    };
    let answers = admin.retrying(errors::is_passing, || ask_committed(admin, group, &request))?;
    offsets_of(admin, group, asked, &answers)
}

/// What was answered, in the order asked for.
pub(super) fn offsets_of(
    admin: &Admin,
    group: &str,
    asked: &[TopicPartition],
    answers: &Answers,
) -> Result<Vec<Option<Offset>>, RecordsError> {
    let offset_of = |partition: &TopicPartition| match answers.get(partition) {
        None => Ok(None),
        Some(Ok(offset)) => Ok((*offset >= 0).then_some(Offset(*offset))),
        Some(Err(code)) if errors::is_unknown(*code) => Ok(None),
        Some(Err(code)) => Err(admin.errors().of(COMMITTED, &format!("{partition} of group {group}"), *code, "")),
    };
    asked.iter().map(offset_of).collect()
}

fn ask_committed(
    admin: &Admin,
    group: &str,
    request: &Owned<sys::rd_kafka_ListConsumerGroupOffsets_t>,
) -> Result<Answers, Failed> {
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    let event = admin.request(COMMITTED, group, |client, queue| {
        let mut requests = [request.ptr()];
        // SAFETY: all pointers are valid during the call, which copies the request.
        unsafe { sys::rd_kafka_ListConsumerGroupOffsets(client, requests.as_mut_ptr(), 1, options.ptr(), queue) }
    })?;
    // SAFETY: the event answers this kind of request.
    group_answers(admin, COMMITTED, group, &event, |event, count| unsafe {
        let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(event);
        sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, count)
    })
}

/// Commits for a group that has no members.
pub(super) fn commit(admin: &Admin, group: &str, offsets: &[(TopicPartition, Offset)]) -> Result<(), RecordsError> {
    Ok(admin.retrying(errors::is_passing, || try_commit(admin, group, offsets))?)
}

/// Tries it once.
pub(super) fn try_commit(admin: &Admin, group: &str, offsets: &[(TopicPartition, Offset)]) -> Result<(), Failed> {
    let name = group_name(admin, COMMIT, group)?;
    let list = partitions::list(offsets.iter().map(|(partition, offset)| (partition, offset.0)));
    // SAFETY: name and list are valid during the call, which copies them.
    let request = unsafe {
        let request = sys::rd_kafka_AlterConsumerGroupOffsets_new(name.as_ptr(), list.ptr());
        Owned::new(request, sys::rd_kafka_AlterConsumerGroupOffsets_destroy).expect("librdkafka always makes a request")
    };
    ask_commit(admin, group, &request)
}

fn ask_commit(
    admin: &Admin,
    group: &str,
    request: &Owned<sys::rd_kafka_AlterConsumerGroupOffsets_t>,
) -> Result<(), Failed> {
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    let event = admin.request(COMMIT, group, |client, queue| {
        let mut requests = [request.ptr()];
        // SAFETY: all pointers are valid during the call, which copies the request.
        unsafe { sys::rd_kafka_AlterConsumerGroupOffsets(client, requests.as_mut_ptr(), 1, options.ptr(), queue) }
    })?;
    // SAFETY: the event answers this kind of request.
    let answers = group_answers(admin, COMMIT, group, &event, |event, count| unsafe {
        let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(event);
        sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, count)
    })?;
    all_committed(admin, group, &answers)
}

/// No partition says an error.
pub(super) fn all_committed(admin: &Admin, group: &str, answers: &Answers) -> Result<(), Failed> {
    for (partition, said) in answers {
        if let Err(code) = said {
            let name = if errors::is_unknown(*code) { partition.to_string() } else { format!("group {group}") };
            return Err(admin.failed(COMMIT, &name, *code, ""));
        }
    }
    Ok(())
}

fn group_name(admin: &Admin, operation: &'static str, group: &str) -> Result<CString, Failed> {
    let zero = |_| admin.failed(operation, group, Code::InvalidGroupId, "a group's name holds no zero byte");
    CString::new(group).map_err(zero)
}

/// What the one group of an answer says.
fn group_answers(
    admin: &Admin,
    operation: &'static str,
    group: &str,
    event: &Event,
    groups: impl FnOnce(*mut sys::rd_kafka_event_t, *mut usize) -> *mut *const sys::rd_kafka_group_result_t,
) -> Result<Answers, Failed> {
    let mut count = 0;
    let groups = groups(event.ptr(), &raw mut count);
    // SAFETY: the event outlives the array and all it points to; texts are copied.
    unsafe {
        let Some(result) = native::array(groups, count).first() else { return Ok(Answers::new()) };
        let error = sys::rd_kafka_group_result_error(*result);
        if !error.is_null() {
            let detail = native::text(sys::rd_kafka_error_string(error));
            let code = Code::from(sys::rd_kafka_error_code(error));
            return Err(admin.failed(operation, &format!("group {group}"), code, &detail));
        }
        Ok(partitions::answers(sys::rd_kafka_group_result_partitions(*result)))
    }
}
