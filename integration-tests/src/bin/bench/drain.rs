//! The raw drain: librdkafka reads a topic to its end and does nothing with it. What a backup is compared with.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use rdkafka_sys::bindings as sys;

const WAIT: Duration = Duration::from_secs(10);
/// Messages that are taken at a time, by the client's cheapest interface.
const BATCH: usize = 10_000;

/// Reads the topic to its end, and prints how many records and bytes there were.
pub fn run(servers: &str, topic: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "bench-drain")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("a consumer");
    let partitions = assign_all(&consumer, topic).expect("the topic is there");
    let (mut records, mut bytes, mut ends) = (0_u64, 0_u64, 0);
    let mut messages = vec![std::ptr::null_mut(); BATCH];
    // SAFETY: the client outlives its queue; each message is valid until it is destroyed, once.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        while ends < partitions {
            let count = sys::rd_kafka_consume_batch_queue(queue, 1_000, messages.as_mut_ptr(), BATCH);
            for message in &messages[..usize::try_from(count).expect("the drain does not fail")] {
                let read = &**message;
                match read.err {
                    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                        records += 1;
                        bytes += (read.len + read.key_len) as u64;
                    }
                    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => ends += 1,
                    other => panic!("the drain fails: {other:?}"),
                }
                sys::rd_kafka_message_destroy(*message);
            }
        }
        sys::rd_kafka_queue_destroy(queue);
    }
    println!("{records} {bytes}");
}

fn assign_all(consumer: &BaseConsumer, topic: &str) -> Result<usize, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), WAIT)?;
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    Ok(list.count())
}
