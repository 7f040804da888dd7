//! Lists of partitions with an offset each, and a note where there is one, as the C client takes and gives them.

use std::{collections::HashMap, ffi::CString, ptr};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::native::{self, Owned};
use crate::record::TopicPartition;

/// A list of partitions.
pub(super) type PartitionList = Owned<sys::rd_kafka_topic_partition_list_t>;

/// What was said about a partition: an offset, or the error in its place.
pub(super) type Answers = HashMap<TopicPartition, Result<Said, Code>>;

/// An offset, and what is noted beside it: empty where nothing is.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub offset: i64,
    pub note: String,
    /// The leader epoch that was told with it.
    pub leader_epoch: Option<i32>,
}

/// A list for the C client. A name that holds a zero byte is no topic's and left out.
pub(super) fn list<'a>(partitions: impl IntoIterator<Item = (&'a TopicPartition, Said)>) -> PartitionList {
    // SAFETY: the list is ours until it is wrapped; it copies the names; an added element is valid until the next one.
    unsafe {
        let list = sys::rd_kafka_topic_partition_list_new(16);
        for (partition, Said { offset, note, .. }) in partitions {
            let Ok(topic) = CString::new(&*partition.topic) else { continue };
            let added = sys::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition.partition.0);
            (*added).offset = offset;
            if !note.is_empty() {
                // Freed with the list, and so had from the same allocator.
                (*added).metadata = sys::rd_kafka_mem_malloc(ptr::null_mut(), note.len());
                (*added).metadata_size = note.len();
                ptr::copy_nonoverlapping(note.as_ptr(), (*added).metadata.cast(), note.len());
            }
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
/// The element's topic is a C string, and its note as long as it says.
pub(super) unsafe fn answer(element: &sys::rd_kafka_topic_partition_t) -> (TopicPartition, Result<Said, Code>) {
    // SAFETY: as promised; the texts are copied.
    let (topic, note) =
        unsafe { (native::text(element.topic), native::array(element.metadata.cast::<u8>(), element.metadata_size)) };
    let code = Code::from(element.err);
    // SAFETY: the element is valid; -1 stands for none.
    let epoch = unsafe { sys::rd_kafka_topic_partition_get_leader_epoch(element) };
    let leader_epoch = (epoch >= 0).then_some(epoch);
    let said = || Said { offset: element.offset, note: String::from_utf8_lossy(note).into_owned(), leader_epoch };
    let said = if code == Code::NoError { Ok(said()) } else { Err(code) };
    (TopicPartition::new(topic, element.partition), said)
}
