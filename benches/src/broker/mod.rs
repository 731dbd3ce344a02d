//! Brokers as their own client libraries reach them: confirmed publishing, and reading from now on. Floors, sources and counters
//! are made of it, one file per protocol.

mod address;
mod amqp;
mod kafka;
mod mqtt;
mod rabbitmq;

pub(crate) use address::Address;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// Messages that a reader of this program has not taken yet.
const UNREAD_MAX: usize = 4_096;

/// A protocol, by the broker that is measured with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Kafka,
    Mqtt,
    Rabbitmq,
    Amqp,
}

impl Kind {
    /// In headings.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Kind::Kafka => "Kafka",
            Kind::Mqtt => "MQTT 5",
            Kind::Rabbitmq => "RabbitMQ",
            Kind::Amqp => "AMQP 1.0",
        }
    }

    /// On command lines.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Kafka => "kafka",
            Kind::Mqtt => "mqtt",
            Kind::Rabbitmq => "rabbitmq",
            Kind::Amqp => "amqp",
        }
    }
}

/// One broker.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub(crate) kind: Kind,
    pub(crate) address: Address,
}

/// What was sent waits for the broker's confirmation.
pub(crate) type Confirmation = BoxFuture<'static, anyhow::Result<()>>;

/// Publishes to one destination. Messages arrive in the order of `send`.
pub(crate) trait Publish: Send + Sync {
    /// Hands a message to the library.
    fn send(&self, body: Bytes) -> BoxFuture<'_, anyhow::Result<Confirmation>>;
}

/// Messages of one destination from now on.
pub(crate) struct Messages {
    pub(crate) receiver: mpsc::Receiver<Bytes>,
    reading: AbortHandle,
}

impl Messages {
    /// What `read` hands over. It ends with the value.
    fn of<F>(read: impl FnOnce(mpsc::Sender<Bytes>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(UNREAD_MAX);
        Self { receiver, reading: tokio::spawn(read(sender)).abort_handle() }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Broker {
    /// A destination of this run that takes messages at once: a topic, or an exchange of RabbitMQ. With `keep` the broker keeps
    /// what is sent to it, where it does so on request only.
    pub(crate) async fn destination(&self, purpose: &str, keep: bool) -> anyhow::Result<String> {
        let name = format!("tidegate-bench-{purpose}-{:08x}", rand::random::<u32>());
        match self.kind {
            Kind::Kafka => crate::topic::create(&self.address.socket(), purpose).await,
            Kind::Rabbitmq => rabbitmq::declare(&self.address, &name, keep).await.map(|()| name),
            Kind::Mqtt | Kind::Amqp => Ok(name),
        }
    }

    pub(crate) async fn publisher(&self, destination: &str) -> anyhow::Result<Box<dyn Publish>> {
        let address = &self.address;
        Ok(match self.kind {
            Kind::Kafka => Box::new(kafka::Publisher::new(address, destination)?),
            Kind::Mqtt => Box::new(mqtt::Publisher::connect(address, destination).await?),
            Kind::Rabbitmq => Box::new(rabbitmq::Publisher::connect(address, destination).await?),
            Kind::Amqp => Box::new(amqp::Publisher::connect(address, destination).await?),
        })
    }

    /// Reads without acknowledging one by one: what every client of a broadcast may miss while it is away.
    pub(crate) async fn messages(&self, destination: &str) -> anyhow::Result<Messages> {
        match self.kind {
            Kind::Kafka => kafka::messages(&self.address, destination),
            Kind::Mqtt => mqtt::messages(&self.address, destination).await,
            Kind::Rabbitmq => rabbitmq::messages(&self.address, destination).await,
            Kind::Amqp => amqp::messages(&self.address, destination).await,
        }
    }

    /// Begins to count what a destination gets.
    pub(crate) async fn counter(&self, destination: &str) -> anyhow::Result<Counter> {
        Ok(match self.kind {
            Kind::Kafka => Counter::Topic { kafka: self.address.socket(), topic: destination.to_owned() },
            Kind::Rabbitmq => {
                Counter::Queue(Box::new(rabbitmq::Queue::connect(&self.address, destination).await?))
            }
            Kind::Mqtt | Kind::Amqp => Counter::reading(self.messages(destination).await?),
        })
    }

    /// Type and configuration of the endpoint that a user would write.
    pub(crate) fn endpoint(&self, destination: &str) -> (&'static str, Value) {
        match self.kind {
            Kind::Kafka => kafka::endpoint(&self.address, destination),
            Kind::Mqtt => mqtt::endpoint(&self.address, destination),
            Kind::Rabbitmq => rabbitmq::endpoint(&self.address, destination),
            Kind::Amqp => amqp::endpoint(&self.address, destination),
        }
    }
}

/// Counts what a broker got.
pub(crate) enum Counter {
    /// By the end offsets of a topic.
    Topic { kafka: String, topic: String },
    /// By the length of the queue that keeps everything.
    Queue(Box<rabbitmq::Queue>),
    /// By reading along.
    Reader { read: Arc<AtomicU64>, _reading: JoinSet<()> },
}

impl Counter {
    fn reading(mut messages: Messages) -> Self {
        let read = Arc::new(AtomicU64::new(0));
        let (counted, mut reading) = (Arc::clone(&read), JoinSet::new());
        reading.spawn(async move {
            while messages.receiver.recv().await.is_some() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Counter::Reader { read, _reading: reading }
    }

    /// Messages so far. What is read along may come a little later.
    pub(crate) async fn count(&self) -> anyhow::Result<u64> {
        match self {
            Counter::Topic { kafka, topic } => crate::topic::records(kafka, topic).await,
            Counter::Queue(queue) => queue.count().await,
            Counter::Reader { read, .. } => Ok(read.load(Ordering::Relaxed)),
        }
    }
}
