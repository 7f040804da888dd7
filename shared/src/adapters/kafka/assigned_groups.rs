//! Commits for a group that this process is a member of. A group with members takes commits from its members only, so
//! they go through the member's own client.

use std::{
    collections::HashMap,
    ptr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::{
    admin::{Admin, Failed},
    errors,
    fetch::ReadClient,
    group_offsets::{self, COMMIT, COMMITTED},
    native::{self, Event, Queue},
    partitions::{self, Answers, PartitionList},
};
use crate::{
    ports::records::RecordsError,
    record::{Offset, TopicPartition},
};

/// The members of this process, by group.
#[derive(Default)]
pub(super) struct AssignedGroups(Mutex<HashMap<String, Vec<Weak<ReadClient>>>>);

impl AssignedGroups {
    pub(super) fn add(&self, group: &str, member: Weak<ReadClient>) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let members = groups.entry(group.to_owned()).or_default();
        members.retain(|member| member.strong_count() > 0);
        members.push(member);
    }

    /// A member of the group, if this process has one: each may commit for all partitions.
    pub(super) fn of(&self, group: &str) -> Option<Arc<ReadClient>> {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.get(group)?.iter().find_map(Weak::upgrade)
    }
}

/// Commits through a member. As long as that has not joined, the group may have no members, or others that are just
/// going: then either way is tried in turn.
pub(super) fn commit(
    admin: &Admin,
    member: &ReadClient,
    group: &str,
    offsets: &[(TopicPartition, Offset)],
) -> Result<(), RecordsError> {
    let list = partitions::list(offsets.iter().map(|(partition, offset)| (partition, offset.0)));
    let attempt = || match try_commit(admin, member, group, &list) {
        Err(failed) if is_not_in(failed.code) => group_offsets::try_commit(admin, group, offsets),
        outcome => outcome,
    };
    Ok(admin.retrying(|code| is_not_in(code) || errors::is_passing(code), attempt)?)
}

/// The committed offsets in the order asked for, asked by a member. Not by the admin client where there is a member:
/// librdkafka 2.12 corrupts its memory when such a request fails while the coordinator is away (its issue 4605).
pub(super) fn committed(
    admin: &Admin,
    member: &ReadClient,
    group: &str,
    asked: &[TopicPartition],
) -> Result<Vec<Option<Offset>>, RecordsError> {
    let timeout_ms = native::millis(admin.errors().request_timeout);
    let answers = admin.retrying(errors::is_passing, || {
        let list = partitions::list(asked.iter().map(|partition| (partition, 0)));
        // SAFETY: client and list are valid during the call, which writes its answers to the list.
        let (code, answers) = unsafe {
            let code = Code::from(sys::rd_kafka_committed(member.ptr(), list.ptr(), timeout_ms));
            (code, partitions::answers(list.ptr()))
        };
        match code {
            Code::NoError => Ok(answers),
            code => Err(admin.failed(COMMITTED, &format!("group {group}"), code, "")),
        }
    })?;
    group_offsets::offsets_of(admin, group, asked, &answers)
}

/// The group does not know the member, or not in its present generation.
fn is_not_in(code: Code) -> bool {
    matches!(code, Code::UnknownMemberId | Code::IllegalGeneration)
}

fn try_commit(admin: &Admin, member: &ReadClient, group: &str, list: &PartitionList) -> Result<(), Failed> {
    let name = format!("group {group}");
    // SAFETY: the client outlives the queue.
    let queue = unsafe { Queue::new(member.ptr()) };
    // SAFETY: all pointers are valid during the call, which copies the list.
    let sent = unsafe { sys::rd_kafka_commit_queue(member.ptr(), list.ptr(), queue.ptr(), None, ptr::null_mut()) };
    if Code::from(sent) != Code::NoError {
        return Err(admin.failed(COMMIT, &name, Code::from(sent), ""));
    }
    let event = queue.poll(admin.errors().request_timeout);
    let (code, answers) = event.map_or((Code::OperationTimedOut, Answers::new()), |event| answer(&event));
    match code {
        Code::NoError => group_offsets::all_committed(admin, group, &answers),
        code => Err(admin.failed(COMMIT, &name, code, "")),
    }
}

fn answer(event: &Event) -> (Code, Answers) {
    // SAFETY: the event tells of a commit; the list is its own, and copied.
    unsafe {
        let code = Code::from(sys::rd_kafka_event_error(event.ptr()));
        (code, partitions::answers(sys::rd_kafka_event_topic_partition_list(event.ptr())))
    }
}
