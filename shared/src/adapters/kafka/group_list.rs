//! Which consumer groups a cluster knows.

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka_sys::bindings as sys;

use super::{
    admin::Admin,
    native::{self, Event},
};
use crate::ports::records::{GroupState, ListedGroup, RecordsError};

const OPERATION: &str = "list consumer groups";

/// All groups. An answer that lacks those of a broker is an error.
pub(super) fn list(admin: &Admin) -> Result<Vec<ListedGroup>, RecordsError> {
    let options = admin.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    let event = admin.request(OPERATION, "groups", |client, queue| {
        // SAFETY: all pointers are valid during the call.
        unsafe { sys::rd_kafka_ListConsumerGroups(client, options.ptr(), queue) }
    })?;
    answer(admin, &event)
}

fn answer(admin: &Admin, event: &Event) -> Result<Vec<ListedGroup>, RecordsError> {
    let (mut count, mut errors) = (0, 0);
    // SAFETY: the event answers ListConsumerGroups, and both arrays live as long as it; texts are copied.
    unsafe {
        let result = sys::rd_kafka_event_ListConsumerGroups_result(event.ptr());
        let failed = sys::rd_kafka_ListConsumerGroups_result_errors(result, &raw mut errors);
        if let Some(error) = native::array(failed, errors).first() {
            let code = Code::from(sys::rd_kafka_error_code(*error));
            return Err(admin.errors().of(
                OPERATION,
                "groups",
                code,
                &native::text(sys::rd_kafka_error_string(*error)),
            ));
        }
        let listed = sys::rd_kafka_ListConsumerGroups_result_valid(result, &raw mut count);
        let group = |listing: &*const sys::rd_kafka_ConsumerGroupListing_t| ListedGroup {
            name: native::text(sys::rd_kafka_ConsumerGroupListing_group_id(*listing)),
            state: state(sys::rd_kafka_ConsumerGroupListing_state(*listing)),
        };
        Ok(native::array(listed.cast::<*const _>(), count).iter().map(group).collect())
    }
}

fn state(state: sys::rd_kafka_consumer_group_state_t) -> GroupState {
    use sys::rd_kafka_consumer_group_state_t as State;
    match state {
        State::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => GroupState::Empty,
        State::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD => GroupState::Dead,
        _ => GroupState::Active,
    }
}
