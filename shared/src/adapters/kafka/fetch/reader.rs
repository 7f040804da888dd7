//! The reading thread: does what the caller says, serves the group, and fetches as long as there is room.

use std::{
    collections::HashMap,
    ffi::CString,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use rdkafka::{
    Message as _, Offset as KafkaOffset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaResult, RDKafkaErrorCode as Code},
    message::BorrowedMessage,
};
use rdkafka_sys::bindings as sys;

use super::{
    assignment::{self, Assignment, Reading},
    batch::{self, Kind, Message},
    handover::{Command, Generation, Handover},
};
use crate::{
    adapters::kafka::{
        errors::Errors,
        native::{self, Owned, Queue},
        partitions::{self, Said},
    },
    ports::records::Fetched,
    record::{Offset, TopicPartition},
};

const OPERATION: &str = "fetch";
/// So many messages are taken at a time.
const BATCH_MESSAGES_MAX: usize = 1_024;
/// Messages are copied and handed over in parts of about this size.
const PART_BYTES_MAX: usize = 1 << 20;
/// So often the group is served, however slow the caller is: well below any session's time-out.
const SERVE_INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait for the client to take a position that it shall compare with the log.
const VALIDATE_WAIT: Duration = Duration::from_secs(2);
/// How often it is asked again that has not begun to read the partition.
const VALIDATE_ATTEMPTS_MAX: u32 = 200;
const VALIDATE_AGAIN_WAIT: Duration = Duration::from_millis(5);
/// What a record takes beside its bytes.
const RECORD_BYTES: usize = size_of::<crate::record::Record>();

/// A client that reads, and its queues, which go first.
pub(in crate::adapters::kafka) struct ReadClient {
    /// What comes of partitions.
    pub(super) queue: Queue,
    /// All else: what the group says, errors, log lines.
    events: Queue,
    pub(super) consumer: BaseConsumer<Assignment>,
}

impl ReadClient {
    pub(super) fn new(consumer: BaseConsumer<Assignment>) -> Self {
        // SAFETY: client and queues are kept together, and the queues go first.
        let (queue, events) = unsafe {
            let client = consumer.client().native_ptr();
            (Queue::new(client), Queue::of_consumer(client))
        };
        ReadClient { queue, events, consumer }
    }

    /// The C client, as long as this lives.
    pub(in crate::adapters::kafka) fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.consumer.client().native_ptr()
    }
}

/// What the thread owns.
pub(super) struct Reader {
    client: Arc<ReadClient>,
    handover: Arc<Handover>,
    errors: Errors,
}

/// Messages of one partition, and the generation they were read for.
type Run<'a> = (&'a [Message], TopicPartition, Generation);

impl Reader {
    pub(super) fn new(client: Arc<ReadClient>, handover: Arc<Handover>, errors: Errors) -> Self {
        Reader { client, handover, errors }
    }

    /// Reads until nobody listens any more.
    pub(super) fn run(self) {
        while !self.handover.is_closed() {
            self.serve();
            if self.handover.wait_for_room(SERVE_INTERVAL) {
                let messages = batch::consume(&self.client.queue, BATCH_MESSAGES_MAX, SERVE_INTERVAL);
                self.hand_over(&messages);
            }
        }
    }

    /// What is to be done beside fetching, whether there is room or not.
    fn serve(&self) {
        while !self.client.events.is_empty() {
            if let Some(Ok(stray)) = self.client.consumer.poll(Duration::ZERO) {
                self.give_up_on(&stray);
            }
        }
        self.tell_trouble();
        self.follow_commands();
    }

    /// Records come by the thread's own queue only. Should one come otherwise, none after it may be handed over.
    fn give_up_on(&self, stray: &BorrowedMessage<'_>) {
        let reading = self.reading().get(stray.topic(), stray.partition());
        if let Some((partition, generation)) = reading {
            self.end_failed(&partition, generation, Code::Fail, "a record came out of order in the client");
        }
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.client.consumer.context().reading()
    }

    fn follow_commands(&self) {
        let commands = self.handover.commands();
        if commands.is_empty() {
            return;
        }
        let mut last: HashMap<TopicPartition, Command> = HashMap::new();
        last.extend(commands.into_iter().map(|command| (command.partition.clone(), command)));
        if let Err(error) = self.stop_reading(last.keys()).and_then(|()| self.start_reading(&last)) {
            let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
            self.handover.fail(self.errors.of(OPERATION, "partitions", code, &error.to_string()));
        }
    }

    fn stop_reading<'a>(&self, partitions: impl Iterator<Item = &'a TopicPartition>) -> KafkaResult<()> {
        let mut reading = self.reading();
        let read: Vec<_> = partitions.filter(|partition| reading.remove(partition)).cloned().collect();
        drop(reading);
        if read.is_empty() { Ok(()) } else { self.client.consumer.incremental_unassign(&assignment::list(&read)) }
    }

    fn start_reading(&self, commands: &HashMap<TopicPartition, Command>) -> KafkaResult<()> {
        // The client's main thread does one thing after the other: when it answers this, every stop before is done.
        // A stop that came after the forwarding would undo it.
        self.client.consumer.assignment()?;
        let mut list = TopicPartitionList::new();
        for Command { partition, start, .. } in commands.values() {
            let Some((from, generation)) = start else { continue };
            self.forward(partition);
            list.add_partition_offset(&partition.topic, partition.partition.0, KafkaOffset::Offset(from.0))?;
            self.reading().insert(partition.clone(), *generation);
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.client.consumer.incremental_assign(&list)?;
        for command in commands.values() {
            if let (Some((from, generation)), Some(epoch)) = (command.start, command.behind)
                && let Err(code) = self.validate(&command.partition, from, epoch)
            {
                self.end_failed(&command.partition, generation, code, "the client does not compare it with the log");
            }
        }
        Ok(())
    }

    /// Has the client compare the position with the log, where it is told what was read before: it does so when it is moved
    /// there with a leader epoch, and not when it is assigned with one.
    fn validate(&self, partition: &TopicPartition, from: Offset, epoch: i32) -> Result<(), Code> {
        for attempt in 1.. {
            let said = Said { offset: from.0, ..Said::default() };
            let list = partitions::list([(partition, said)]);
            // SAFETY: client and list are valid, and the list has the one element that was added; an error is given back.
            let code = unsafe {
                let element = (*list.ptr()).elems;
                sys::rd_kafka_topic_partition_set_leader_epoch(element, epoch);
                let error = sys::rd_kafka_seek_partitions(self.client.ptr(), list.ptr(), native::millis(VALIDATE_WAIT));
                match Owned::new(error, sys::rd_kafka_error_destroy) {
                    Some(error) => sys::rd_kafka_error_code(error.ptr()),
                    None => (*element).err,
                }
            };
            match Code::from(code) {
                Code::NoError => return Ok(()),
                // It has not begun to read the partition yet.
                Code::State if attempt < VALIDATE_ATTEMPTS_MAX => std::thread::sleep(VALIDATE_AGAIN_WAIT),
                code => return Err(code),
            }
        }
        Ok(())
    }

    /// Records of this partition come by the thread's own queue.
    fn forward(&self, partition: &TopicPartition) {
        let Ok(topic) = CString::new(&*partition.topic) else { return };
        // SAFETY: client, name and queues are valid; the reference to the partition's queue is given back.
        unsafe {
            let client = self.client.ptr();
            let own = sys::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition.partition.0);
            if !own.is_null() {
                sys::rd_kafka_queue_forward(own, self.client.queue.ptr());
                sys::rd_kafka_queue_destroy(own);
            }
        }
    }

    /// Hands messages over, run by run of one partition. Whose they are is looked up before anything else is done: a
    /// command that comes meanwhile begins a generation that these messages are not of.
    fn hand_over(&self, messages: &[Message]) {
        let runs: Vec<Run<'_>> = self.runs(messages).collect();
        for (run, partition, generation) in &runs {
            match run[0].kind() {
                Kind::Record => self.hand_over_records(run, partition, *generation),
                Kind::End(position) => {
                    let end = Fetched::End { partition: partition.clone(), position };
                    self.handover.push(end, partition, *generation, 0);
                }
                Kind::OutOfRange => {
                    tracing::info!(%partition, said = run[0].error_text(), "the offset to read from is not in the log");
                    self.end(partition, *generation, Fetched::OutOfRange { partition: partition.clone() });
                }
                Kind::Failed(code) => self.end_failed(partition, *generation, code, &run[0].error_text()),
            }
        }
    }

    /// Messages of partitions that were stopped, or taken away by the group, are left out.
    fn runs<'a>(&self, messages: &'a [Message]) -> impl Iterator<Item = Run<'a>> {
        messages.chunk_by(Message::continues).filter_map(move |run| {
            let (topic, number) = run[0].partition()?;
            let (partition, generation) = self.reading().get(&topic, number)?;
            Some((run, partition, generation))
        })
    }

    fn hand_over_records(&self, run: &[Message], partition: &TopicPartition, generation: Generation) {
        let mut rest = run;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(batch::part_len(rest, PART_BYTES_MAX));
            rest = after;
            while !self.handover.wait_for_room(SERVE_INTERVAL) && !self.handover.is_closed() {
                self.serve();
            }
            match batch::records(part) {
                Ok((records, size_bytes)) => {
                    let size_bytes = size_bytes + records.len() * RECORD_BYTES;
                    let leader_epoch = run[0].leader_epoch();
                    let records = Fetched::Records { partition: partition.clone(), records, leader_epoch };
                    self.handover.push(records, partition, generation, size_bytes);
                }
                Err(code) => return self.end_failed(partition, generation, code, "its headers cannot be read"),
            }
        }
    }

    fn end_failed(&self, partition: &TopicPartition, generation: Generation, code: Code, detail: &str) {
        let error = Arc::new(self.errors.of(OPERATION, &partition.to_string(), code, detail));
        self.end(partition, generation, Fetched::Failed { partition: partition.clone(), error });
    }

    /// The last of a partition: it is stopped.
    fn end(&self, partition: &TopicPartition, generation: Generation, last: Fetched) {
        self.handover.push(last, partition, generation, 0);
        if let Err(error) = self.stop_reading(std::iter::once(partition)) {
            tracing::warn!(%error, %partition, "the kafka client does not stop reading");
        }
    }

    /// Tells the caller that the brokers refuse the client, or that none answers.
    fn tell_trouble(&self) {
        let state = &self.client.consumer.context().client;
        let trouble = state.trouble();
        if let Some((code, said)) = trouble.refused {
            state.clear();
            self.handover.fail(self.errors.of(OPERATION, "the client", code, &said));
        } else if trouble.all_down {
            self.handover.interrupt();
            // That may be a moment's matter, so a broker is asked for a sign of life.
            match self.sign_of_life() {
                Ok(()) => state.clear(),
                Err(_) => self.handover.fail(self.errors.no_answer(OPERATION, trouble.reason)),
            }
        }
    }

    fn sign_of_life(&self) -> Result<(), Code> {
        let patience = self.errors.request_timeout / 2;
        // SAFETY: the client is valid.
        unsafe { native::sign_of_life(self.client.ptr(), patience) }
    }
}
