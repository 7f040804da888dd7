//! Topics' settings, as they hold.

use std::{collections::BTreeMap, ffi::CString, sync::Arc};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::{
    admin::Admin,
    native::{self, Event, Owned},
};
use crate::ports::records::{RecordsError, TopicSettings};

const OPERATION: &str = "describe topic settings";
/// So many topics are asked about in one request: an answer holds some forty settings of each.
const TOPICS_MAX: usize = 200;

/// Where a setting comes from.
type Source = sys::rd_kafka_ConfigSource_t;
type Resource = *const sys::rd_kafka_ConfigResource_t;

/// The settings of each of these topics, or the error in its place.
pub(super) fn settings(
    admin: &Admin,
    topics: &[Arc<str>],
) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
    find(admin, topics, |_| true)
}

/// The settings that were made for each of these topics alone, or the error in its place.
pub(super) fn overrides(
    admin: &Admin,
    topics: &[Arc<str>],
) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
    find(admin, topics, |source| source == Source::RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG)
}

fn find(
    admin: &Admin,
    topics: &[Arc<str>],
    is_wanted: fn(Source) -> bool,
) -> Result<Vec<Result<TopicSettings, RecordsError>>, RecordsError> {
    let mut found = BTreeMap::new();
    for part in topics.chunks(TOPICS_MAX) {
        found.extend(describe(admin, part, is_wanted)?);
    }
    let missing = |topic: &Arc<str>| Err(admin.errors().of(OPERATION, topic, Code::UnknownTopic, ""));
    Ok(topics.iter().map(|topic| found.remove(&**topic).unwrap_or_else(|| missing(topic))).collect())
}

fn describe(
    admin: &Admin,
    topics: &[Arc<str>],
    is_wanted: fn(Source) -> bool,
) -> Result<BTreeMap<String, Result<TopicSettings, RecordsError>>, RecordsError> {
    // A name that holds a zero byte is no topic's.
    let names: Vec<CString> = topics.iter().filter_map(|name| CString::new(&**name).ok()).collect();
    let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
    let resource = |name: &CString| {
        // SAFETY: the name is valid during the call, which copies it.
        unsafe {
            let resource = sys::rd_kafka_ConfigResource_new(kind, name.as_ptr());
            Owned::new(resource, sys::rd_kafka_ConfigResource_destroy)
        }
    };
    let resources: Vec<_> = names.iter().filter_map(resource).collect();
    let mut pointers: Vec<_> = resources.iter().map(Owned::ptr).collect();
    if pointers.is_empty() {
        return Ok(BTreeMap::new());
    }
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    let event = admin.request(OPERATION, "topics", |client, queue| {
        // SAFETY: all pointers are valid during the call, which copies the resources.
        unsafe {
            sys::rd_kafka_DescribeConfigs(client, pointers.as_mut_ptr(), pointers.len(), options.ptr(), queue);
        }
    })?;
    Ok(answers(&event).iter().map(|resource| answer(admin, *resource, is_wanted)).collect())
}

fn answers(event: &Event) -> &[Resource] {
    let mut count = 0;
    // SAFETY: the event answers DescribeConfigs, and the array lives as long as it.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConfigs_result(event.ptr());
        native::array(sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count).cast(), count)
    }
}

fn answer(
    admin: &Admin,
    resource: Resource,
    is_wanted: fn(Source) -> bool,
) -> (String, Result<TopicSettings, RecordsError>) {
    let mut count = 0;
    // SAFETY: the resource is valid as long as its event, which the caller holds; texts are copied.
    let (name, code, detail, settings) = unsafe {
        let entries = sys::rd_kafka_ConfigResource_configs(resource, &raw mut count);
        let entries: &[*const sys::rd_kafka_ConfigEntry_t] = native::array(entries.cast(), count);
        let is_of_source =
            |entry: &&*const sys::rd_kafka_ConfigEntry_t| is_wanted(sys::rd_kafka_ConfigEntry_source(**entry));
        let setting = |entry: &*const sys::rd_kafka_ConfigEntry_t| {
            let name = native::text(sys::rd_kafka_ConfigEntry_name(*entry));
            (name, native::text(sys::rd_kafka_ConfigEntry_value(*entry)))
        };
        (
            native::text(sys::rd_kafka_ConfigResource_name(resource)),
            Code::from(sys::rd_kafka_ConfigResource_error(resource)),
            native::text(sys::rd_kafka_ConfigResource_error_string(resource)),
            entries.iter().filter(is_of_source).map(setting).collect::<TopicSettings>(),
        )
    };
    let settings = match code {
        Code::NoError => Ok(settings),
        code => Err(admin.errors().of(OPERATION, &name, code, &detail)),
    };
    (name, settings)
}
