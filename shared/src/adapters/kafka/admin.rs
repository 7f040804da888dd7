//! Questions to the cluster: one client, one way to ask and wait.
#![allow(clippy::disallowed_methods, reason = "an adapter measures how long the brokers take")]

use std::{
    ptr,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode as Code},
};
use rdkafka_sys::bindings as sys;

use super::{
    context::{ClientState, Trouble},
    errors::Errors,
    native::{self, Event, Owned, Queue},
};
use crate::{blocking, ports::records::RecordsError};

/// How often a waiting call looks whether the brokers refuse the client, or none is connected.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait before what failed in passing is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The client that asks.
pub(super) struct Admin {
    /// A consumer that reads nothing and joins no group.
    client: BaseConsumer<ClientState>,
    errors: Errors,
    timeout: Duration,
}

impl ConsumerContext for ClientState {}

/// Why a request failed: the brokers' code beside the error, for a caller that knows what to do about it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) code: Code,
    pub(super) error: RecordsError,
}

impl From<Failed> for RecordsError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// Options of one request.
pub(super) type Options = Owned<sys::rd_kafka_AdminOptions_t>;

impl Admin {
    pub(super) fn new(client: BaseConsumer<ClientState>, errors: Errors) -> Self {
        let timeout = errors.request_timeout;
        Admin { client, errors, timeout }
    }

    pub(super) fn errors(&self) -> &Errors {
        &self.errors
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.client.client().native_ptr()
    }

    /// The client, for the questions the safe interface can ask, and how long an answer may take.
    pub(super) fn safe(&self) -> (&rdkafka::client::Client<ClientState>, Duration) {
        (self.client.client(), self.timeout)
    }

    /// Asks on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Admin) -> Result<T, RecordsError> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let admin = Arc::clone(self);
        blocking::run(move || question(&admin)).await
    }

    /// Options for a kind of request, with the time an answer may take.
    pub(super) fn options(&self, kind: sys::rd_kafka_admin_op_t) -> Options {
        // SAFETY: the client is valid; no error text is asked for, and any positive time is taken.
        unsafe {
            let options = sys::rd_kafka_AdminOptions_new(self.ptr(), kind);
            sys::rd_kafka_AdminOptions_set_request_timeout(options, native::millis(self.timeout), ptr::null_mut(), 0);
            Owned::new(options, sys::rd_kafka_AdminOptions_destroy).expect("the kind of request is a known one")
        }
    }

    /// The same for a request that describes, and has the cluster tell what this client may do with each.
    pub(super) fn options_with_rights(&self, kind: sys::rd_kafka_admin_op_t) -> Options {
        let options = self.options(kind);
        // SAFETY: the options are valid; a request that describes takes this one, so there is no error to destroy.
        let error = unsafe { sys::rd_kafka_AdminOptions_set_include_authorized_operations(options.ptr(), 1) };
        debug_assert!(error.is_null());
        options
    }

    /// Sends a request and waits for the event that answers it. `name` says whom it concerns, for errors.
    pub(super) fn request(
        &self,
        operation: &'static str,
        name: &str,
        send: impl FnOnce(*mut sys::rd_kafka_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<Event, Failed> {
        // SAFETY: the client outlives this call, and the queue with it.
        let queue = unsafe { Queue::new(self.ptr()) };
        send(self.ptr(), queue.ptr());
        let event = self.wait(operation, name, |wait| queue.poll(wait))?;
        // SAFETY: the event is valid; its text lives as long as the event.
        let (code, detail) = unsafe {
            let code = sys::rd_kafka_event_error(event.ptr());
            (Code::from(code), native::text(sys::rd_kafka_event_error_string(event.ptr())))
        };
        if code != Code::NoError {
            return Err(self.failed(operation, name, code, &detail));
        }
        self.was_answered();
        Ok(event)
    }

    /// A broker answered this client: whatever was wrong is over.
    pub(super) fn was_answered(&self) {
        self.client.context().clear();
    }

    /// Tries again what fails in passing, as long as an answer may take.
    pub(super) fn retrying<T>(
        &self,
        passing: fn(Code) -> bool,
        mut attempt: impl FnMut() -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let began = Instant::now();
        loop {
            match attempt() {
                Err(failed) if passing(failed.code) && began.elapsed() < self.timeout => {
                    std::thread::sleep(RETRY_INTERVAL);
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits for an answer, `look` by `look`, and no longer than helps.
    pub(super) fn wait<T>(
        &self,
        operation: &'static str,
        name: &str,
        look: impl Fn(Duration) -> Option<T>,
    ) -> Result<T, Failed> {
        let asked = Instant::now();
        loop {
            if let Some(answer) = look(LOOK_INTERVAL) {
                return Ok(answer);
            }
            self.give_up_early(operation, name, asked.elapsed())?;
        }
    }

    /// Refused, or nobody there for half the time: waiting on would not help.
    pub(super) fn give_up_early(&self, operation: &'static str, name: &str, waited: Duration) -> Result<(), Failed> {
        let trouble = self.trouble();
        if let Some((code, said)) = trouble.refused {
            return Err(Failed { code, error: self.errors.of(operation, name, code, &said) });
        }
        if waited >= self.timeout || (trouble.all_down && waited >= self.timeout / 2) {
            let error = self.errors.no_answer(operation, trouble.reason);
            return Err(Failed { code: Code::OperationTimedOut, error });
        }
        Ok(())
    }

    /// The error of a request that was answered by one; a lack of connection is told by what the connection said.
    pub(super) fn failed(&self, operation: &'static str, name: &str, code: Code, detail: &str) -> Failed {
        let trouble = self.trouble();
        let error = match (trouble.refused, code) {
            (Some((code, said)), _) => self.errors.of(operation, name, code, &said),
            (None, Code::OperationTimedOut | Code::BrokerTransportFailure | Code::AllBrokersDown) => {
                self.errors.no_answer(operation, trouble.reason)
            }
            (None, code) => self.errors.of(operation, name, code, detail),
        };
        Failed { code, error }
    }

    /// The error of a question that the safe interface asked.
    pub(super) fn failed_safe(&self, operation: &'static str, name: &str, error: &KafkaError) -> Failed {
        let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
        self.failed(operation, name, code, &error.to_string())
    }

    /// Why the client cannot get on, after it was heard.
    fn trouble(&self) -> Trouble {
        // SAFETY: the client is a consumer of some group, and outlives the queue.
        let events = unsafe { Queue::of_consumer(self.ptr()) };
        while !events.is_empty() {
            // Log lines and errors, which the context takes; nothing else comes to this client.
            drop(self.client.poll(Duration::ZERO));
        }
        self.client.context().trouble()
    }
}
