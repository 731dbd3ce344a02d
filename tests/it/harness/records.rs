//! The world's own Kafka client beside the product: plain produce and consume.

use super::wait::{SOON, within};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A producer is kept per broker: a new one learns the cluster anew, which takes a second.
fn producer(bootstrap: &str) -> FutureProducer {
    static PRODUCERS: LazyLock<Mutex<HashMap<String, FutureProducer>>> = LazyLock::new(Mutex::default);
    let mut producers = PRODUCERS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = producers.entry(bootstrap.to_owned()).or_insert_with(|| {
        ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "60000")
            .set("linger.ms", "1")
            .create()
            .expect("a producer needs no connection")
    });
    made.clone()
}

/// Produces every payload and answers when the broker acknowledged all of them. Records have no key.
pub(crate) async fn produce<P: AsRef<str>>(
    bootstrap: &str,
    topic: &str,
    payloads: impl IntoIterator<Item = P>,
) {
    let producer = producer(bootstrap);
    let deliveries: Vec<_> = payloads
        .into_iter()
        .map(|payload| {
            let record: FutureRecord<'_, (), str> = FutureRecord::to(topic).payload(payload.as_ref());
            producer.send_result(record).map_err(|(error, _)| error).expect("the producer's queue has room")
        })
        .collect();
    for delivery in deliveries {
        let report = within("Kafka's acknowledgement", SOON * 2, delivery).await.expect("the producer lives");
        report.map_err(|(error, _)| error).expect("Kafka acknowledges");
    }
}

/// Reads `topic` from its beginning until `count` records are there. Partition order only.
pub(crate) async fn consume(bootstrap: &str, topic: &str, count: usize) -> Vec<String> {
    let (bootstrap, topic) = (bootstrap.to_owned(), topic.to_owned());
    let reading = tokio::task::spawn_blocking(move || read(&bootstrap, &topic, count, SOON));
    reading.await.expect("reading the topic does not fail")
}

/// Everything in `topic` up to now, repeats included.
pub(crate) async fn everything(bootstrap: &str, topic: &str) -> Vec<String> {
    let (address, name) = (bootstrap.to_owned(), topic.to_owned());
    let counting = tokio::task::spawn_blocking(move || {
        let client = client(&address);
        let metadata = client.fetch_metadata(Some(&name), SOON).expect("Kafka answers");
        let ends = metadata.topics()[0].partitions().iter().map(|partition| {
            let (first, end) = client.fetch_watermarks(&name, partition.id(), SOON).expect("Kafka answers");
            usize::try_from(end - first).expect("not negative")
        });
        ends.sum()
    });
    consume(bootstrap, topic, counting.await.expect("counting does not fail")).await
}

/// Records of `topic`, which begins at 0, that the group's stored positions cover.
pub(crate) async fn committed(group: &str, topic: &str, partitions: i32) -> i64 {
    let (group, topic) = (group.to_owned(), topic.to_owned());
    let asked = tokio::task::spawn_blocking(move || {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &super::services::services().kafka).set("group.id", &group);
        let client: BaseConsumer = config.create().expect("a consumer needs no connection");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&topic, 0, partitions - 1);
        let stored = client.committed_offsets(list, SOON).expect("Kafka answers");
        stored.elements().iter().filter_map(|element| element.offset().to_raw()).filter(|at| *at > 0).sum()
    });
    asked.await.expect("asking does not fail")
}

fn client(bootstrap: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer needs no connection")
}

fn read(bootstrap: &str, topic: &str, count: usize, limit: Duration) -> Vec<String> {
    let consumer = client(bootstrap);
    let metadata = consumer.fetch_metadata(Some(topic), limit).expect("Kafka answers");
    let mut positions = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        positions.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("a valid position");
    }
    consumer.assign(&positions).expect("the partitions exist");
    let deadline = Instant::now() + limit;
    let mut payloads = Vec::new();
    while payloads.len() < count {
        assert!(
            Instant::now() < deadline,
            "only {} of {count} records of {topic} after {limit:?}",
            payloads.len()
        );
        // Connection errors pass by themselves while a broker comes back; the deadline ends the wait.
        if let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) {
            payloads.push(String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned());
        }
    }
    payloads
}
