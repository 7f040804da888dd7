//! Which topics there are, with their ids; and creating one.

use std::{
    ffi::{CStr, CString, c_char},
    ptr,
    sync::Arc,
    time::Duration,
};

use rdkafka::error::{IsError as _, RDKafkaErrorCode as Code};
use rdkafka_sys::bindings as sys;

use super::{
    admin::{Admin, Failed, Options},
    errors,
    native::{self, Event, Owned},
};
use crate::{
    ports::records::{PartitionLayout, RecordsError, Topic, TopicLayout},
    record::TopicId,
};

const DESCRIBE_TOPICS: sys::rd_kafka_admin_op_t = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
const DESCRIBE: &str = "describe topics";
const CREATE: &str = "create topic";
/// librdkafka's mock cluster names a controller that it does not have, so its first broker is asked instead.
const MOCK_CLUSTER: &str = "mockCluster";
const MOCK_BROKER: i32 = 1;
/// How long the first question waits for a connection, before it is looked whether there can be one.
const CONNECT_WAIT: Duration = Duration::from_millis(200);

/// All topics' names, asked of the cluster now.
pub(super) fn names(admin: &Admin) -> Result<Vec<Arc<str>>, RecordsError> {
    let (client, timeout) = admin.safe();
    let metadata = client.fetch_metadata(None, timeout);
    let metadata = metadata.map_err(|error| admin.failed_safe("list topics", "topics", &error))?;
    Ok(metadata.topics().iter().map(|topic| topic.name().into()).collect())
}

/// Which brokers have the partitions of those of these topics that exist.
pub(super) fn layout(admin: &Admin, topics: &[Arc<str>]) -> Result<Vec<TopicLayout>, RecordsError> {
    let (client, timeout) = admin.safe();
    let metadata = client.fetch_metadata(None, timeout);
    let metadata = metadata.map_err(|error| admin.failed_safe("describe topics", "topics", &error))?;
    let partition = |it: &rdkafka::metadata::MetadataPartition| PartitionLayout {
        id: it.id(),
        leader: it.leader(),
        replicas: it.replicas().to_vec(),
        isrs: it.isr().to_vec(),
    };
    let wanted = metadata.topics().iter().filter(|topic| topics.iter().any(|name| **name == *topic.name()));
    let layout = wanted.map(|topic| {
        let mut partitions: Vec<_> = topic.partitions().iter().map(partition).collect();
        partitions.sort_by_key(|partition| partition.id);
        TopicLayout { name: topic.name().to_owned(), partitions }
    });
    Ok(layout.collect())
}

/// The cluster's id.
pub(super) fn cluster_id(admin: &Admin) -> Result<String, RecordsError> {
    let (client, _) = admin.safe();
    let known = |wait| client.fetch_cluster_id(wait);
    if let Some(id) = known(Duration::ZERO) {
        return Ok(id);
    }
    // The question itself waits for an answer to another one; how this one fails, it tells.
    // SAFETY: the client is valid.
    let _ = unsafe { native::sign_of_life(admin.ptr(), CONNECT_WAIT) };
    Ok(admin.wait("read the cluster id", "cluster", known)?)
}

/// The topics of `names` that exist, with their ids as the brokers have them now: this request passes by every cache.
pub(super) fn describe(admin: &Admin, names: &[Arc<str>]) -> Result<Vec<Topic>, RecordsError> {
    // A name that holds a zero byte is no topic's.
    let names: Vec<CString> = names.iter().filter_map(|name| CString::new(&**name).ok()).collect();
    if names.is_empty() {
        return Ok(vec![]);
    }
    let options = admin.options(DESCRIBE_TOPICS);
    if cluster_id(admin)?.starts_with(MOCK_CLUSTER) {
        // SAFETY: the options are valid; no error text is asked for, and any broker's id is taken.
        unsafe { sys::rd_kafka_AdminOptions_set_broker(options.ptr(), MOCK_BROKER, ptr::null_mut(), 0) };
    }
    let event = ask(admin, &names, &options)?;
    descriptions(&event).iter().filter_map(|topic| description(admin, *topic).transpose()).collect()
}

/// What this client may do with a topic; `None` where the cluster does not say, or has no such topic.
pub(super) fn allowed(admin: &Admin, name: &str) -> Result<Option<Vec<sys::rd_kafka_AclOperation_t>>, RecordsError> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    let options = admin.options_with_rights(DESCRIBE_TOPICS);
    let event = ask(admin, &[name], &options)?;
    let [topic] = *descriptions(&event) else { return Ok(None) };
    let mut count = 0;
    // SAFETY: the description and its array live as long as the event.
    unsafe {
        let operations = sys::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
        Ok((!operations.is_null()).then(|| native::array(operations, count).to_vec()))
    }
}

fn ask(admin: &Admin, names: &[CString], options: &Options) -> Result<Event, RecordsError> {
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let event = admin.request(DESCRIBE, "topics", |client, queue| {
        // SAFETY: all pointers are valid during the call, which copies the names.
        unsafe {
            let collection = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            sys::rd_kafka_DescribeTopics(client, collection, options.ptr(), queue);
            sys::rd_kafka_TopicCollection_destroy(collection);
        }
    })?;
    Ok(event)
}

fn descriptions(event: &Event) -> &[*const sys::rd_kafka_TopicDescription_t] {
    let mut count = 0;
    // SAFETY: the event answers DescribeTopics, and the array lives as long as it.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.ptr());
        native::array(sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count), count)
    }
}

fn description(admin: &Admin, topic: *const sys::rd_kafka_TopicDescription_t) -> Result<Option<Topic>, RecordsError> {
    let mut partitions = 0;
    // SAFETY: the description is valid as long as its event, which the caller holds; texts are copied.
    let (name, code, detail, uuid) = unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        sys::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        (
            native::text(sys::rd_kafka_TopicDescription_name(topic)),
            Code::from(sys::rd_kafka_error_code(error)),
            native::text(sys::rd_kafka_error_string(error)),
            id(sys::rd_kafka_TopicDescription_topic_id(topic)),
        )
    };
    match (code, uuid) {
        (Code::NoError, Some(id)) => {
            let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
            Ok(Some(Topic { name: name.into(), id, partitions }))
        }
        (Code::NoError, None) => Err(without_ids(admin)),
        (Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::InvalidTopic, _) => Ok(None),
        (code, _) => Err(admin.errors().of(DESCRIBE, &name, code, &detail)),
    }
}

/// A topic's id as Kafka prints it; `None` where the broker gave none.
///
/// # Safety
/// The pointer is null or valid.
unsafe fn id(uuid: *const sys::rd_kafka_Uuid_t) -> Option<TopicId> {
    if uuid.is_null() {
        return None;
    }
    // SAFETY: as promised; the text belongs to the id and is copied.
    unsafe {
        let bits = (sys::rd_kafka_Uuid_most_significant_bits(uuid), sys::rd_kafka_Uuid_least_significant_bits(uuid));
        // Kafka prints ids in the alphabet for URLs.
        let text = native::text(sys::rd_kafka_Uuid_base64str(uuid)).replace('+', "-").replace('/', "_");
        (bits != (0, 0)).then(|| TopicId::from(text.as_str()))
    }
}

fn without_ids(admin: &Admin) -> RecordsError {
    let message = format!(
        "kafka at {} gives topics no ids, so that a topic created again cannot be told from the old one: \
         it needs Apache Kafka 2.8 or newer",
        admin.errors().bootstrap_servers
    );
    RecordsError::Refused { operation: DESCRIBE, message }
}

/// Creates a topic when it does not exist.
pub(super) fn create(
    admin: &Admin,
    name: &str,
    partitions: i32,
    configs: &[(String, String)],
) -> Result<(), RecordsError> {
    if !describe(admin, &[name.into()])?.is_empty() {
        return Ok(());
    }
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS);
    ask_for(admin, name, partitions, configs, &options)?;
    wait_until_known(admin, name)
}

/// Asks whether the topic could be created.
pub(super) fn check(
    admin: &Admin,
    name: &str,
    partitions: i32,
    configs: &[(String, String)],
) -> Result<(), RecordsError> {
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS);
    // SAFETY: the options are valid, and no error text is asked for: requests that create topics can be checked alone.
    unsafe { sys::rd_kafka_AdminOptions_set_validate_only(options.ptr(), 1, ptr::null_mut(), 0) };
    ask_for(admin, name, partitions, configs, &options)
}

fn ask_for(
    admin: &Admin,
    name: &str,
    partitions: i32,
    configs: &[(String, String)],
    options: &Options,
) -> Result<(), RecordsError> {
    let topic = new_topic(admin, name, partitions, configs)?;
    let event = admin.request(CREATE, name, |client, queue| {
        let mut topics = [topic.ptr()];
        // SAFETY: all pointers are valid during the call, which copies the topic.
        unsafe { sys::rd_kafka_CreateTopics(client, topics.as_mut_ptr(), 1, options.ptr(), queue) }
    })?;
    created(admin, name, &event)
}

/// The controller answers before the brokers know of the topic.
fn wait_until_known(admin: &Admin, name: &str) -> Result<(), RecordsError> {
    let known = || match describe(admin, &[name.into()]) {
        Ok(topics) if topics.is_empty() => Err(admin.failed(CREATE, name, Code::LeaderNotAvailable, "")),
        Ok(_) => Ok(()),
        Err(error) => Err(Failed { code: Code::Fail, error }),
    };
    Ok(admin.retrying(errors::is_passing, known)?)
}

fn new_topic(
    admin: &Admin,
    name: &str,
    partitions: i32,
    configs: &[(String, String)],
) -> Result<Owned<sys::rd_kafka_NewTopic_t>, RecordsError> {
    let refused = |detail: &str| admin.errors().of(CREATE, name, Code::InvalidArgument, detail);
    let text = |text: &str| CString::new(text).map_err(|_| refused("a zero byte in its name or settings"));
    let mut error = [0; 512];
    let c_name = text(name)?;
    // SAFETY: name and error buffer are valid during the call; -1 leaves the replication factor to the brokers.
    let topic = unsafe {
        let topic = sys::rd_kafka_NewTopic_new(c_name.as_ptr(), partitions, -1, error.as_mut_ptr(), error.len());
        Owned::new(topic, sys::rd_kafka_NewTopic_destroy)
    };
    // SAFETY: the buffer was zeroed, and its last byte is never written but by a zero.
    let topic = topic.ok_or_else(|| refused(&unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy()))?;
    for (key, value) in configs {
        let (key, value) = (text(key)?, text(value)?);
        // SAFETY: all pointers are valid during the call, which copies the texts.
        let code = unsafe { sys::rd_kafka_NewTopic_set_config(topic.ptr(), key.as_ptr(), value.as_ptr()) };
        if code.is_error() {
            return Err(refused(&format!("setting {key:?} is not taken")));
        }
    }
    Ok(topic)
}

fn created(admin: &Admin, name: &str, event: &Event) -> Result<(), RecordsError> {
    let mut count = 0;
    // SAFETY: the event answers CreateTopics and outlives the array; texts are copied.
    let results = unsafe {
        let result = sys::rd_kafka_event_CreateTopics_result(event.ptr());
        let topics = native::array(sys::rd_kafka_CreateTopics_result_topics(result, &raw mut count), count);
        topics.iter().map(|topic| {
            let code = Code::from(sys::rd_kafka_topic_result_error(*topic));
            (code, native::text(sys::rd_kafka_topic_result_error_string(*topic)))
        })
    };
    for (code, detail) in results {
        if !matches!(code, Code::NoError | Code::TopicAlreadyExists) {
            return Err(admin.errors().of(CREATE, name, code, &detail));
        }
    }
    Ok(())
}
