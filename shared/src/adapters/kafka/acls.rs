//! The cluster's rules about topics.

use std::{ffi::CString, ptr};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;
use sys::{
    rd_kafka_AclOperation_t as Operation, rd_kafka_AclPermissionType_t as Permission,
    rd_kafka_ResourcePatternType_t as Pattern,
};

use super::{
    admin::{Admin, Failed},
    native::{self, Event, Owned},
    topics,
};
use crate::ports::{
    acls::{Acl, AclAnswer, AclOperation, AclPattern, AclPermission},
    records::RecordsError,
};

const DESCRIBE: &str = "list access rules";
const RIGHTS: &str = "ask what this client may do";
const CREATE: &str = "add access rules";
const RULES: &str = "rules about topics";
const TOPIC: sys::rd_kafka_ResourceType_t = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;

type Binding = Owned<sys::rd_kafka_AclBinding_t>;

const OPERATIONS: [(AclOperation, Operation); 11] = [
    (AclOperation::All, Operation::RD_KAFKA_ACL_OPERATION_ALL),
    (AclOperation::Read, Operation::RD_KAFKA_ACL_OPERATION_READ),
    (AclOperation::Write, Operation::RD_KAFKA_ACL_OPERATION_WRITE),
    (AclOperation::Create, Operation::RD_KAFKA_ACL_OPERATION_CREATE),
    (AclOperation::Delete, Operation::RD_KAFKA_ACL_OPERATION_DELETE),
    (AclOperation::Alter, Operation::RD_KAFKA_ACL_OPERATION_ALTER),
    (AclOperation::Describe, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE),
    (AclOperation::ClusterAction, Operation::RD_KAFKA_ACL_OPERATION_CLUSTER_ACTION),
    (AclOperation::DescribeConfigs, Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS),
    (AclOperation::AlterConfigs, Operation::RD_KAFKA_ACL_OPERATION_ALTER_CONFIGS),
    (AclOperation::IdempotentWrite, Operation::RD_KAFKA_ACL_OPERATION_IDEMPOTENT_WRITE),
];
const PATTERNS: [(AclPattern, Pattern); 2] = [
    (AclPattern::Literal, Pattern::RD_KAFKA_RESOURCE_PATTERN_LITERAL),
    (AclPattern::Prefixed, Pattern::RD_KAFKA_RESOURCE_PATTERN_PREFIXED),
];
const PERMISSIONS: [(AclPermission, Permission); 2] = [
    (AclPermission::Deny, Permission::RD_KAFKA_ACL_PERMISSION_TYPE_DENY),
    (AclPermission::Allow, Permission::RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW),
];

fn ours<A: Copy, B: PartialEq>(table: &[(A, B)], theirs: &B) -> Option<A> {
    table.iter().find(|(_, it)| it == theirs).map(|(it, _)| *it)
}

fn theirs<A: PartialEq, B: Copy>(table: &[(A, B)], ours: &A) -> B {
    table.iter().find(|(it, _)| it == ours).map(|(_, it)| *it).expect("the table has every value")
}

/// All rules about topics.
pub(super) fn list(admin: &Admin) -> Result<AclAnswer, RecordsError> {
    let filter = every_rule().ok_or_else(|| refused(admin, DESCRIBE, "the client takes no filter"))?;
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBEACLS);
    let event = admin.request(DESCRIBE, RULES, |client, queue| {
        // SAFETY: all pointers are valid during the call, which copies the filter.
        unsafe { sys::rd_kafka_DescribeAcls(client, filter.ptr(), options.ptr(), queue) }
    });
    let rules = match event {
        Ok(event) => listed(admin, &event)?,
        Err(Failed { code: Code::UnsupportedFeature | Code::UnsupportedVersion, .. }) => vec![],
        Err(failed) => return Err(failed.error),
    };
    // The client makes an empty list of every error of the cluster's.
    if rules.is_empty() && !may_describe(admin)? {
        let error = admin.errors().of(DESCRIBE, RULES, Code::ClusterAuthorizationFailed, "");
        return Ok(AclAnswer::NotAllowed { message: error.to_string() });
    }
    Ok(AclAnswer::Listed(rules))
}

/// Whether this client may see what concerns the whole cluster. Where the cluster cannot say, it may.
fn may_describe(admin: &Admin) -> Result<bool, RecordsError> {
    let options = admin.options_with_rights(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER);
    let event = admin.request(RIGHTS, "the cluster", |client, queue| {
        // SAFETY: all pointers are valid during the call.
        unsafe { sys::rd_kafka_DescribeCluster(client, options.ptr(), queue) }
    });
    let event = match event {
        Ok(event) => event,
        Err(Failed { code: Code::UnsupportedFeature | Code::UnsupportedVersion, .. }) => return Ok(true),
        Err(failed) => return Err(failed.error),
    };
    let mut count = 0;
    // SAFETY: the event answers DescribeCluster, and the array lives as long as it.
    let (is_told, allowed) = unsafe {
        let result = sys::rd_kafka_event_DescribeCluster_result(event.ptr());
        let operations = sys::rd_kafka_DescribeCluster_result_authorized_operations(result, &raw mut count);
        (!operations.is_null(), native::array(operations, count))
    };
    Ok(!is_told || allowed.contains(&Operation::RD_KAFKA_ACL_OPERATION_DESCRIBE))
}

fn every_rule() -> Option<Binding> {
    // SAFETY: null stands for any name, principal and host; no error text is asked for.
    unsafe {
        let filter = sys::rd_kafka_AclBindingFilter_new(
            TOPIC,
            ptr::null(),
            Pattern::RD_KAFKA_RESOURCE_PATTERN_ANY,
            ptr::null(),
            ptr::null(),
            Operation::RD_KAFKA_ACL_OPERATION_ANY,
            Permission::RD_KAFKA_ACL_PERMISSION_TYPE_ANY,
            ptr::null_mut(),
            0,
        );
        Owned::new(filter, sys::rd_kafka_AclBinding_destroy)
    }
}

fn listed(admin: &Admin, event: &Event) -> Result<Vec<Acl>, RecordsError> {
    let mut count = 0;
    // SAFETY: the event answers DescribeAcls, and the array lives as long as it.
    let bindings: &[*const sys::rd_kafka_AclBinding_t] = unsafe {
        let result = sys::rd_kafka_event_DescribeAcls_result(event.ptr());
        native::array(sys::rd_kafka_DescribeAcls_result_acls(result, &raw mut count).cast(), count)
    };
    bindings.iter().map(|binding| read(admin, *binding)).collect()
}

/// A rule as the cluster tells it. One of a kind that this client does not know is an error: without it the list is not whole.
fn read(admin: &Admin, binding: *const sys::rd_kafka_AclBinding_t) -> Result<Acl, RecordsError> {
    // SAFETY: the binding lives as long as its event, which the caller holds; texts are copied.
    let (pattern, operation, permission, name, principal, host) = unsafe {
        (
            sys::rd_kafka_AclBinding_resource_pattern_type(binding),
            sys::rd_kafka_AclBinding_operation(binding),
            sys::rd_kafka_AclBinding_permission_type(binding),
            native::text(sys::rd_kafka_AclBinding_name(binding)),
            native::text(sys::rd_kafka_AclBinding_principal(binding)),
            native::text(sys::rd_kafka_AclBinding_host(binding)),
        )
    };
    let unknown = || refused(admin, DESCRIBE, &format!("the rule of {principal} for {name} is of an unknown kind"));
    Ok(Acl {
        pattern: ours(&PATTERNS, &pattern).ok_or_else(unknown)?,
        operation: ours(&OPERATIONS, &operation).ok_or_else(unknown)?,
        permission: ours(&PERMISSIONS, &permission).ok_or_else(unknown)?,
        name,
        principal,
        host,
    })
}

/// What this client may do with a topic, of the operations that are known here.
pub(super) fn allowed(admin: &Admin, topic: &str) -> Result<Option<Vec<AclOperation>>, RecordsError> {
    let allowed = topics::allowed(admin, topic)?;
    Ok(allowed.map(|all| all.iter().filter_map(|operation| ours(&OPERATIONS, operation)).collect()))
}

/// Adds rules; those that are there already stay.
pub(super) fn add(admin: &Admin, acls: &[Acl]) -> Result<(), RecordsError> {
    let bindings = acls.iter().map(|acl| binding(admin, acl)).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<_> = bindings.iter().map(Owned::ptr).collect();
    if pointers.is_empty() {
        return Ok(());
    }
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEACLS);
    let event = admin.request(CREATE, RULES, |client, queue| {
        // SAFETY: all pointers are valid during the call, which copies the rules.
        unsafe { sys::rd_kafka_CreateAcls(client, pointers.as_mut_ptr(), pointers.len(), options.ptr(), queue) }
    })?;
    added(admin, acls, &event)
}

fn binding(admin: &Admin, acl: &Acl) -> Result<Binding, RecordsError> {
    let text = |text: &str| CString::new(text).map_err(|_| refused(admin, CREATE, "a zero byte in a rule"));
    let (name, principal, host) = (text(&acl.name)?, text(&acl.principal)?, text(&acl.host)?);
    // SAFETY: the texts are valid during the call, which copies them; no error text is asked for.
    let binding = unsafe {
        let binding = sys::rd_kafka_AclBinding_new(
            TOPIC,
            name.as_ptr(),
            theirs(&PATTERNS, &acl.pattern),
            principal.as_ptr(),
            host.as_ptr(),
            theirs(&OPERATIONS, &acl.operation),
            theirs(&PERMISSIONS, &acl.permission),
            ptr::null_mut(),
            0,
        );
        Owned::new(binding, sys::rd_kafka_AclBinding_destroy)
    };
    binding.ok_or_else(|| refused(admin, CREATE, &format!("the client does not take the rule {acl:?}")))
}

fn added(admin: &Admin, acls: &[Acl], event: &Event) -> Result<(), RecordsError> {
    let mut count = 0;
    // SAFETY: the event answers CreateAcls and outlives the array; texts are copied.
    let outcomes: Vec<_> = unsafe {
        let result = sys::rd_kafka_event_CreateAcls_result(event.ptr());
        let results: &[*const sys::rd_kafka_acl_result_t] =
            native::array(sys::rd_kafka_CreateAcls_result_acls(result, &raw mut count).cast(), count);
        let outcome = |result: &*const sys::rd_kafka_acl_result_t| {
            let error = sys::rd_kafka_acl_result_error(*result);
            let code = if error.is_null() { Code::NoError } else { Code::from(sys::rd_kafka_error_code(error)) };
            let detail = if error.is_null() { String::new() } else { native::text(sys::rd_kafka_error_string(error)) };
            (code, detail)
        };
        results.iter().map(outcome).collect()
    };
    for (acl, (code, detail)) in acls.iter().zip(outcomes) {
        if code != Code::NoError {
            let name = format!("the rule of {} for {}", acl.principal, acl.name);
            return Err(admin.errors().of(CREATE, &name, code, &detail));
        }
    }
    Ok(())
}

fn refused(admin: &Admin, operation: &'static str, detail: &str) -> RecordsError {
    admin.errors().of(operation, RULES, Code::InvalidArgument, detail)
}
