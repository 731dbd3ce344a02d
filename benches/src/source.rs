//! Where the events of a fan-out come from: the feed socket of the floor, a topic, or a broker without partitions. All number the
//! records alike.

use crate::{
    broker::Publish,
    event::{Event, Kind, PARTITIONS, clock_us},
};
use anyhow::Context;
use futures::future::try_join_all;
use rdkafka::{
    ClientConfig,
    producer::{DeliveryFuture, FutureProducer, FutureRecord},
};
use std::net::SocketAddr;
use tokio::{io::AsyncWriteExt, net::TcpStream};

enum Target {
    Feed(TcpStream),
    Topic { producer: FutureProducer, topic: String },
    Broker(Box<dyn Publish>),
}

/// Sends numbered records, round robin over the partitions.
pub(crate) struct Source {
    target: Target,
    sent: u64,
}

impl Source {
    /// Feeds a floor.
    pub(crate) async fn feed(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { target: Target::Feed(stream), sent: 0 })
    }

    /// Produces to a topic: idempotent, so that the order within a partition is the order of sending.
    pub(crate) fn topic(kafka: &str, topic: &str) -> anyhow::Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", kafka)
            .set("linger.ms", "0")
            .set("enable.idempotence", "true")
            .create()
            .context("the producer of events could not be made")?;
        Ok(Self { target: Target::Topic { producer, topic: topic.to_owned() }, sent: 0 })
    }

    /// Publishes where everything arrives in the order of sending.
    pub(crate) fn broker(publisher: Box<dyn Publish>) -> Self {
        Self { target: Target::Broker(publisher), sent: 0 }
    }

    /// One record per partition that readers do not count.
    pub(crate) async fn warm_up(&mut self) -> anyhow::Result<()> {
        let record =
            |partition| (partition, Event { kind: Kind::WarmUp, partition, number: 0, sent_us: 0 }.encode());
        let records = (0..PARTITIONS).map(record).collect();
        self.write(records).await
    }

    /// The next `count` records, at once. Returns when they were taken: by the broker, or by the floor's socket.
    pub(crate) async fn send(&mut self, count: u64) -> anyhow::Result<()> {
        let sent_us = clock_us();
        let partitions = PARTITIONS as u64;
        let record = |index: u64| {
            let (partition, number) = ((index % partitions) as usize, index / partitions);
            (partition, Event { kind: Kind::Counted, partition, number, sent_us }.encode())
        };
        let records = (self.sent..self.sent + count).map(record).collect();
        self.sent += count;
        self.write(records).await
    }

    async fn write(&mut self, records: Vec<(usize, Vec<u8>)>) -> anyhow::Result<()> {
        match &mut self.target {
            Target::Feed(stream) => {
                let bytes: Vec<u8> = records.into_iter().flat_map(|(_, bytes)| bytes).collect();
                stream.write_all(&bytes).await.context("the floor is gone")
            }
            Target::Topic { producer, topic } => {
                let queued: Result<Vec<DeliveryFuture>, _> = records
                    .iter()
                    .map(|(partition, bytes)| queue(producer, topic, *partition, bytes))
                    .collect();
                for delivery in try_join_all(queued?).await.context("the producer ended")? {
                    delivery.map_err(|(error, _)| error).context("Kafka did not take an event")?;
                }
                Ok(())
            }
            Target::Broker(publisher) => {
                let mut confirmations = Vec::with_capacity(records.len());
                for (_, bytes) in records {
                    confirmations.push(publisher.send(bytes.into()).await?);
                }
                try_join_all(confirmations).await.context("the broker did not take an event")?;
                Ok(())
            }
        }
    }
}

fn queue(
    producer: &FutureProducer,
    topic: &str,
    partition: usize,
    bytes: &[u8],
) -> anyhow::Result<DeliveryFuture> {
    let record = FutureRecord::<(), [u8]>::to(topic).partition(partition as i32).payload(bytes);
    producer.send_result(record).map_err(|(error, _)| error).context("the producer's queue is full")
}
