//! Where logs start and end, for many partitions in three requests to each leader.

use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;
use sys::{rd_kafka_IsolationLevel_t as Isolation, rd_kafka_OffsetSpec_t as Spec};

use super::{
    admin::Admin,
    native::{self, Event},
    partitions::{self, Answers, Said},
};
use crate::{
    ports::records::{LogBounds, RecordsError},
    record::{Offset, TopicPartition},
};

/// How often, and after how long, a partition is asked for again whose leader has moved.
const MOVED_ATTEMPTS_MAX: u32 = 20;
const MOVED_WAIT: Duration = Duration::from_millis(100);
const OPERATION: &str = "read log bounds";
/// So long it may take to hear of the topics, once bounds were not answered: a broker that is there answers at once, and
/// whoever asked has waited for a time-out already.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// The bounds of each partition, or the error in its place.
pub(super) fn bounds(
    admin: &Admin,
    partitions: &[TopicPartition],
) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
    if partitions.is_empty() {
        return Ok(vec![]);
    }
    match known_bounds(admin, partitions) {
        // Of partitions none of which exists the client finds no leader, and calls that no answer.
        Err(error) if error.retry() && !is_any_known(admin, partitions) => {
            let unknown = |partition: &TopicPartition| {
                Err(admin.errors().of(OPERATION, &partition.to_string(), Code::UnknownPartition, ""))
            };
            Ok(partitions.iter().map(unknown).collect())
        }
        answer => answer,
    }
}

/// Whether one of these partitions exists, or nobody says so.
fn is_any_known(admin: &Admin, partitions: &[TopicPartition]) -> bool {
    let (client, timeout) = admin.safe();
    let Ok(metadata) = client.fetch_metadata(None, timeout.min(LOOK_WITHIN)) else { return true };
    let is_known = |it: &TopicPartition| {
        let topic = metadata.topics().iter().find(|topic| *topic.name() == *it.topic);
        topic.is_some_and(|topic| topic.partitions().iter().any(|partition| partition.id() == it.partition.0))
    };
    partitions.iter().any(is_known)
}

fn known_bounds(
    admin: &Admin,
    partitions: &[TopicPartition],
) -> Result<Vec<Result<LogBounds, RecordsError>>, RecordsError> {
    let start = offsets(admin, partitions, Spec::RD_KAFKA_OFFSET_SPEC_EARLIEST, None)?;
    let latest = Spec::RD_KAFKA_OFFSET_SPEC_LATEST;
    // In this order: a high watermark that is still above the stable end is held up by an open transaction, and not by what
    // was produced between the two requests.
    let high = offsets(admin, partitions, latest, None)?;
    let stable = offsets(admin, partitions, latest, Some(Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED))?;
    let of = |answers: &Answers, partition| match answers.get(partition) {
        Some(Ok(said)) => Ok(Offset(said.offset)),
        Some(Err(code)) => Err(admin.errors().of(OPERATION, &partition.to_string(), *code, "")),
        None => Err(admin.errors().of(OPERATION, &partition.to_string(), Code::UnknownPartition, "")),
    };
    let bounds = |partition| {
        let (start, stable_end) = (of(&start, partition)?, of(&stable, partition)?);
        let leader_epoch = stable.get(partition).and_then(|said| said.as_ref().ok()?.leader_epoch);
        Ok(LogBounds { leader_epoch, ..ordered(start, stable_end, of(&high, partition)?) })
    };
    Ok(partitions.iter().map(bounds).collect())
}

/// The three were read one after the other while the log went on; a later one tells about an earlier one as well.
fn ordered(start: Offset, stable_end: Offset, high_watermark: Offset) -> LogBounds {
    let stable_end = stable_end.max(start);
    LogBounds { start, stable_end, high_watermark: high_watermark.max(stable_end), leader_epoch: None }
}

/// The answers. Where a leader has just changed, as it does when a topic is created, the client asks the one before, learns of
/// the new one by that, and is asked again.
fn offsets(
    admin: &Admin,
    partitions: &[TopicPartition],
    spec: Spec,
    isolation: Option<Isolation>,
) -> Result<Answers, RecordsError> {
    let mut attempts = 0;
    loop {
        let answers = ask(admin, partitions, spec, isolation)?;
        let has_moved = answers.values().any(|answer| matches!(answer, Err(Code::NotLeaderForPartition)));
        attempts += 1;
        if !has_moved || attempts == MOVED_ATTEMPTS_MAX {
            return Ok(answers);
        }
        std::thread::sleep(MOVED_WAIT);
    }
}

fn ask(
    admin: &Admin,
    partitions: &[TopicPartition],
    spec: Spec,
    isolation: Option<Isolation>,
) -> Result<Answers, RecordsError> {
    let list = partitions::list(
        partitions.iter().map(|partition| (partition, Said { offset: spec as i64, ..Said::default() })),
    );
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS);
    if let Some(isolation) = isolation {
        // SAFETY: the options are valid and of the kind that has an isolation level: there is no error to free.
        unsafe { sys::rd_kafka_AdminOptions_set_isolation_level(options.ptr(), isolation) };
    }
    let event = admin.request(OPERATION, "partitions", |client, queue| {
        // SAFETY: all pointers are valid during the call, which copies the list.
        unsafe { sys::rd_kafka_ListOffsets(client, list.ptr(), options.ptr(), queue) }
    })?;
    Ok(answers(&event))
}

fn answers(event: &Event) -> Answers {
    let mut count = 0;
    // SAFETY: the event answers ListOffsets and outlives the array; names are copied.
    unsafe {
        let result = sys::rd_kafka_event_ListOffsets_result(event.ptr());
        let infos = native::array(sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count), count);
        let element = |info| &*sys::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
        infos.iter().map(|info| partitions::answer(element(*info))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_were_read_while_the_log_moved_are_still_in_order() {
        let moved = ordered(Offset(7), Offset(5), Offset(6));
        let (start, stable_end, high_watermark) = (Offset(7), Offset(7), Offset(7));
        assert_eq!(moved, LogBounds { start, stable_end, high_watermark, leader_epoch: None });
    }
}
