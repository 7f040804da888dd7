//! A group's committed offsets, read and written by a client that speaks for the group.
#![allow(clippy::disallowed_methods, reason = "an adapter measures how long the brokers take")]

use std::{
    ptr,
    time::{Duration, Instant},
};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::{
    admin::{Admin, Failed},
    errors,
    group_clients::GroupClients,
    native::{self, Event, Queue},
    partitions::{self, Answers, Said},
};
use crate::{
    ports::records::{Committed, RecordsError},
    record::{Offset, TopicId, TopicPartition},
};

const COMMITTED: &str = "read committed offsets";
/// What the note beside an offset has before the topic's id,
const TOPIC_ID: &str = "topic-id=";
/// before the offset up to which records are stored,
const STORED: &str = "stored=";
/// and between the two.
const BETWEEN: &str = ";";
const COMMIT: &str = "commit offsets";
/// How long the first question for committed offsets waits, before it is looked whether there can be an answer.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// A client of the group, and the one that tells why the cluster does not answer: itself, where it is not a member.
#[derive(Clone, Copy)]
struct Speaker<'a> {
    client: *mut sys::rd_kafka_t,
    admin: &'a Admin,
    group: &'a str,
}

impl<'a> Speaker<'a> {
    fn outsider(outsider: &'a Admin, group: &'a str) -> Self {
        Speaker { client: outsider.ptr(), admin: outsider, group }
    }

    fn name(self) -> String {
        format!("group {}", self.group)
    }
}

/// The committed offsets in the order asked for.
pub(super) fn committed(
    groups: &GroupClients,
    group: &str,
    asked: &[TopicPartition],
) -> Result<Vec<Option<Committed>>, RecordsError> {
    if asked.is_empty() {
        return Ok(vec![]);
    }
    if let Some(member) = groups.member(group) {
        return ask_committed(Speaker { client: member.ptr(), admin: groups.admin(), group }, asked);
    }
    let outsider = groups.outsider(group)?;
    let offsets = ask_committed(Speaker::outsider(&outsider, group), asked)?;
    outsider.was_answered();
    Ok(offsets)
}

fn ask_committed(speaker: Speaker<'_>, asked: &[TopicPartition]) -> Result<Vec<Option<Committed>>, RecordsError> {
    let answers = speaker.admin.retrying(errors::is_passing, || try_committed(speaker, asked))?;
    let of = |partition: &TopicPartition| match answers.get(partition) {
        None => Ok(None),
        Some(Ok(said)) => Ok(committed_of(said)),
        Some(Err(code)) if errors::is_unknown(*code) => Ok(None),
        Some(Err(code)) => {
            let name = format!("{partition} of {}", speaker.name());
            Err(speaker.admin.errors().of(COMMITTED, &name, *code, ""))
        }
    };
    asked.iter().map(of).collect()
}

/// What a group's answer says; a negative offset is Kafka's word for none.
fn committed_of(said: &Said) -> Option<Committed> {
    let parts = || said.note.split(BETWEEN);
    let topic_id = parts().find_map(|part| part.strip_prefix(TOPIC_ID)).map(TopicId::from);
    let stored = parts().find_map(|part| part.strip_prefix(STORED)?.parse().ok()).map(Offset);
    (said.offset >= 0).then_some(Committed { offset: Offset(said.offset), topic_id, stored })
}

fn said_of(committed: &Committed) -> Said {
    let topic_id = committed.topic_id.as_ref().map(|id| format!("{TOPIC_ID}{id}"));
    let stored = committed.stored.map(|stored| format!("{STORED}{stored}"));
    let parts: Vec<String> = topic_id.into_iter().chain(stored).collect();
    Said { offset: committed.offset.0, note: parts.join(BETWEEN), leader_epoch: None }
}

/// The question does not return before it is answered or its time is up. So it is asked with more and more time, and
/// looked in between whether there can be an answer at all.
fn try_committed(speaker: Speaker<'_>, asked: &[TopicPartition]) -> Result<Answers, Failed> {
    let (admin, name) = (speaker.admin, speaker.name());
    let (began, mut wait) = (Instant::now(), FIRST_WAIT);
    loop {
        let list = partitions::list(asked.iter().map(|partition| (partition, Said::default())));
        // At least what the client counts in: it would not wait at all for less.
        let left = admin.errors().request_timeout.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
        // SAFETY: client and list are valid during the call, which writes its answers to the list.
        let (code, answers) = unsafe {
            let code = sys::rd_kafka_committed(speaker.client, list.ptr(), native::millis(wait.min(left)));
            (Code::from(code), partitions::answers(list.ptr()))
        };
        match code {
            Code::NoError => return Ok(answers),
            Code::OperationTimedOut => admin.give_up_early(COMMITTED, &name, began.elapsed())?,
            code => return Err(admin.failed(COMMITTED, &name, code, "")),
        }
        wait *= 2;
    }
}

/// Commits through a member where there is one. As long as that has not joined, the group may have no members, or others
/// that are just going: then either way is tried in turn.
pub(super) fn commit(
    groups: &GroupClients,
    group: &str,
    offsets: &[(TopicPartition, Committed)],
) -> Result<(), RecordsError> {
    let Some(member) = groups.member(group) else { return commit_idle(groups, group, offsets) };
    let admin = groups.admin();
    let attempt = || match try_commit(Speaker { client: member.ptr(), admin, group }, offsets) {
        Err(failed) if is_not_in(failed.code) => {
            let outsider = groups.outsider(group).map_err(|error| Failed { code: Code::Fail, error })?;
            try_commit(Speaker::outsider(&outsider, group), offsets)
        }
        outcome => outcome,
    };
    Ok(admin.retrying(|code| is_not_in(code) || errors::is_passing(code), attempt)?)
}

/// Commits from outside, which the group's coordinator takes as long as the group has no members.
pub(super) fn commit_idle(
    groups: &GroupClients,
    group: &str,
    offsets: &[(TopicPartition, Committed)],
) -> Result<(), RecordsError> {
    let outsider = groups.outsider(group)?;
    let speaker = Speaker::outsider(&outsider, group);
    outsider.retrying(errors::is_passing, || try_commit(speaker, offsets))?;
    outsider.was_answered();
    Ok(())
}

/// The group does not know the member, or not in its present generation.
fn is_not_in(code: Code) -> bool {
    matches!(code, Code::UnknownMemberId | Code::IllegalGeneration)
}

fn try_commit(speaker: Speaker<'_>, offsets: &[(TopicPartition, Committed)]) -> Result<(), Failed> {
    let (admin, client, name) = (speaker.admin, speaker.client, speaker.name());
    let list = partitions::list(offsets.iter().map(|(partition, committed)| (partition, said_of(committed))));
    // SAFETY: the client outlives the queue.
    let queue = unsafe { Queue::new(client) };
    // SAFETY: all pointers are valid during the call, which copies the list.
    let sent = unsafe { sys::rd_kafka_commit_queue(client, list.ptr(), queue.ptr(), None, ptr::null_mut()) };
    if Code::from(sent) != Code::NoError {
        return Err(admin.failed(COMMIT, &name, Code::from(sent), ""));
    }
    let event = admin.wait(COMMIT, &name, |wait| queue.poll(wait))?;
    match answer(&event) {
        (Code::NoError, answers) => all_committed(speaker, &answers),
        (code, _) => Err(admin.failed(COMMIT, &name, code, "")),
    }
}

fn answer(event: &Event) -> (Code, Answers) {
    // SAFETY: the event tells of a commit; the list is its own, and copied.
    unsafe {
        let code = Code::from(sys::rd_kafka_event_error(event.ptr()));
        (code, partitions::answers(sys::rd_kafka_event_topic_partition_list(event.ptr())))
    }
}

/// No partition says an error.
fn all_committed(speaker: Speaker<'_>, answers: &Answers) -> Result<(), Failed> {
    for (partition, said) in answers {
        if let Err(code) = said {
            let name = if errors::is_unknown(*code) { partition.to_string() } else { speaker.name() };
            return Err(speaker.admin.failed(COMMIT, &name, *code, ""));
        }
    }
    Ok(())
}
