//! Changing a topic's settings.

use std::{ffi::CString, ptr};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::{
    admin::Admin,
    native::{self, Event, Owned},
};
use crate::ports::records::RecordsError;

const OPERATION: &str = "change topic settings";

type Resource = Owned<sys::rd_kafka_ConfigResource_t>;

/// Sets these settings of a topic, or takes them away where there is no value.
pub(super) fn alter(admin: &Admin, name: &str, changes: &[(String, Option<String>)]) -> Result<(), RecordsError> {
    if changes.is_empty() {
        return Ok(());
    }
    let resource = resource(admin, name, changes)?;
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS);
    let event = admin.request(OPERATION, name, |client, queue| {
        let mut resources = [resource.ptr()];
        // SAFETY: all pointers are valid during the call, which copies the resource.
        unsafe { sys::rd_kafka_IncrementalAlterConfigs(client, resources.as_mut_ptr(), 1, options.ptr(), queue) }
    })?;
    altered(admin, name, &event)
}

fn resource(admin: &Admin, name: &str, changes: &[(String, Option<String>)]) -> Result<Resource, RecordsError> {
    let refused = |detail: &str| admin.errors().of(OPERATION, name, Code::InvalidArgument, detail);
    let text = |text: &str| CString::new(text).map_err(|_| refused("a zero byte in its name or settings"));
    let c_name = text(name)?;
    let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
    // SAFETY: the name is valid during the call, which copies it.
    let resource = unsafe {
        Owned::new(sys::rd_kafka_ConfigResource_new(kind, c_name.as_ptr()), sys::rd_kafka_ConfigResource_destroy)
    };
    let resource = resource.ok_or_else(|| refused("its name is not taken"))?;
    for (setting, value) in changes {
        let c_setting = text(setting)?;
        let c_value = value.as_deref().map(text).transpose()?;
        let operation = match value {
            Some(_) => sys::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
            None => sys::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE,
        };
        let c_value = c_value.as_ref().map_or(ptr::null(), |value| value.as_ptr());
        // SAFETY: the resource and the texts are valid during the call, which copies them; an error is ours to destroy.
        let is_taken = unsafe {
            let error = sys::rd_kafka_ConfigResource_add_incremental_config(
                resource.ptr(),
                c_setting.as_ptr(),
                operation,
                c_value,
            );
            let is_taken = error.is_null();
            if !is_taken {
                sys::rd_kafka_error_destroy(error);
            }
            is_taken
        };
        if !is_taken {
            return Err(refused(&format!("setting {setting:?} is not taken")));
        }
    }
    Ok(resource)
}

fn altered(admin: &Admin, name: &str, event: &Event) -> Result<(), RecordsError> {
    let mut count = 0;
    // SAFETY: the event answers IncrementalAlterConfigs and outlives the array; texts are copied.
    let results = unsafe {
        let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(event.ptr());
        let resources =
            native::array(sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count), count);
        resources.iter().map(|resource| {
            let code = Code::from(sys::rd_kafka_ConfigResource_error(*resource));
            (code, native::text(sys::rd_kafka_ConfigResource_error_string(*resource)))
        })
    };
    for (code, detail) in results {
        if code != Code::NoError {
            return Err(admin.errors().of(OPERATION, name, code, &detail));
        }
    }
    Ok(())
}
