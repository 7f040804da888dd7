//! Lists of partitions with an offset each, as the C client takes and gives them.

use std::{collections::HashMap, ffi::CString};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::native::{self, Owned};
use crate::record::TopicPartition;

/// A list of partitions.
pub(super) type PartitionList = Owned<sys::rd_kafka_topic_partition_list_t>;

/// What was said about a partition: an offset, or the error in its place.
pub(super) type Answers = HashMap<TopicPartition, Result<i64, Code>>;

/// A list for the C client. A name that holds a zero byte is no topic's and left out.
pub(super) fn list<'a>(partitions: impl IntoIterator<Item = (&'a TopicPartition, i64)>) -> PartitionList {
    // SAFETY: the list is ours until it is wrapped; it copies the names; an added element is valid until the next one.
    unsafe {
        let list = sys::rd_kafka_topic_partition_list_new(16);
        for (partition, offset) in partitions {
            let Ok(topic) = CString::new(&*partition.topic) else { continue };
            let added = sys::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition.partition.0);
            (*added).offset = offset;
        }
        Owned::new(list, sys::rd_kafka_topic_partition_list_destroy).expect("librdkafka always makes a list")
    }
}

/// What stands in a list.
///
/// # Safety
/// The pointer is null or valid.
pub(super) unsafe fn answers(list: *const sys::rd_kafka_topic_partition_list_t) -> Answers {
    // SAFETY: as promised.
    unsafe {
        let Some(list) = list.as_ref() else { return Answers::new() };
        let elements = native::array(list.elems, usize::try_from(list.cnt).unwrap_or(0));
        elements.iter().map(|element| answer(element)).collect()
    }
}

/// What one element says.
///
/// # Safety
/// The element's topic is a C string.
pub(super) unsafe fn answer(element: &sys::rd_kafka_topic_partition_t) -> (TopicPartition, Result<i64, Code>) {
    // SAFETY: as promised; the text is copied.
    let topic = unsafe { native::text(element.topic) };
    let code = Code::from(element.err);
    let said = if code == Code::NoError { Ok(element.offset) } else { Err(code) };
    (TopicPartition::new(topic, element.partition), said)
}
