//! Kafka with librdkafka: `acks=all`, idempotent, no linger, five requests in flight. "Confirmed" is the delivery report.

use super::{Address, Confirmation, Messages, Publish};
use anyhow::Context;
use bytes::Bytes;
use futures::{
    FutureExt as _,
    future::{BoxFuture, ready},
};
use rdkafka::{
    ClientConfig, Message,
    consumer::{Consumer, StreamConsumer},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};

pub(super) struct Publisher {
    producer: FutureProducer,
    topic: String,
}

impl Publisher {
    pub(super) fn new(address: &Address, topic: &str) -> anyhow::Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", address.socket())
            .set("linger.ms", "0")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .create()
            .context("the producer could not be made")?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    fn queue(&self, body: &Bytes) -> anyhow::Result<Confirmation> {
        let record = FutureRecord::<(), [u8]>::to(&self.topic).payload(body);
        let sent = self.producer.send_result(record);
        let report = sent.map_err(|(error, _)| error).context("the producer's queue is full")?;
        let confirmed = async move {
            report.await.context("the producer ended")?.map_err(|(error, _)| error)?;
            Ok(())
        };
        Ok(confirmed.boxed())
    }
}

impl Publish for Publisher {
    fn send(&self, body: Bytes) -> BoxFuture<'_, anyhow::Result<Confirmation>> {
        ready(self.queue(&body)).boxed()
    }
}

pub(super) fn messages(address: &Address, topic: &str) -> anyhow::Result<Messages> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", address.socket())
        .set("group.id", format!("bench-{:08x}", rand::random::<u32>()))
        .set("auto.offset.reset", "latest")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10")
        .create()
        .context("the consumer could not be made")?;
    consumer.subscribe(&[topic]).context("the topic cannot be read")?;
    Ok(Messages::of(|sender| async move {
        while let Ok(message) = consumer.recv().await {
            let body = Bytes::copy_from_slice(message.payload().unwrap_or_default());
            if sender.send(body).await.is_err() {
                return;
            }
        }
    }))
}

pub(super) fn endpoint(address: &Address, topic: &str) -> (&'static str, Value) {
    let configuration = json!({ "bootstrapServers": address.socket(), "topics": [topic],
        "consumer": { "enabled": true, "autoOffsetReset": "latest" }, "producer": { "enabled": true } });
    ("kafka", configuration)
}
