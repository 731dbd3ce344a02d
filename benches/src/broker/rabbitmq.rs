//! RabbitMQ with lapin: persistent, mandatory messages on one channel with confirmations, as many under way as there are
//! requests. "Confirmed" is the broker's `basic.ack`.

use super::{Address, Confirmation, Messages, Publish};
use anyhow::Context;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::FieldTable,
    uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use serde_json::{Value, json};

const ROUTING_KEY: &str = "bench.new";
const BINDING: &str = "bench.#";
/// Delivery mode of messages that are written down before they are confirmed.
const PERSISTENT: u8 = 2;

/// A connection with one channel.
struct Line {
    _connection: Connection,
    channel: Channel,
}

impl Line {
    async fn open(address: &Address) -> anyhow::Result<Self> {
        let (username, password) = address.credentials();
        let uri = AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo { username, password },
                host: address.host.clone(),
                port: address.port,
            },
            vhost: "/".to_owned(),
            query: AMQPQueryString::default(),
        };
        let connection = Connection::connect_uri(uri, ConnectionProperties::default()).await;
        let connection = connection.context("RabbitMQ lets nobody in")?;
        let channel = connection.create_channel().await.context("no channel")?;
        Ok(Self { _connection: connection, channel })
    }

    async fn bound(&self, exchange: &str, queue: &str, options: QueueDeclareOptions) -> anyhow::Result<()> {
        let none = FieldTable::default;
        self.channel.queue_declare(queue.into(), options, none()).await.context("no queue")?;
        let binding = QueueBindOptions::default();
        let bound = self.channel.queue_bind(queue.into(), exchange.into(), BINDING.into(), binding, none());
        bound.await.context("no binding")
    }
}

/// The queue that keeps what comes to an exchange.
fn kept(exchange: &str) -> String {
    format!("{exchange}-kept")
}

fn durable() -> QueueDeclareOptions {
    QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() }
}

/// A durable exchange, with `keep` and a durable queue.
pub(super) async fn declare(address: &Address, exchange: &str, keep: bool) -> anyhow::Result<()> {
    let line = Line::open(address).await?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared =
        line.channel.exchange_declare(exchange.into(), ExchangeKind::Topic, options, FieldTable::default());
    declared.await.context("no exchange")?;
    if keep {
        line.bound(exchange, &kept(exchange), durable()).await?;
    }
    Ok(())
}

/// The queue of an exchange that keeps everything.
pub(crate) struct Queue {
    line: Line,
    name: String,
}

impl Queue {
    pub(super) async fn connect(address: &Address, exchange: &str) -> anyhow::Result<Self> {
        Ok(Self { line: Line::open(address).await?, name: kept(exchange) })
    }

    /// Messages in it.
    pub(super) async fn count(&self) -> anyhow::Result<u64> {
        let options = QueueDeclareOptions { passive: true, ..durable() };
        let declared =
            self.line.channel.queue_declare(self.name.as_str().into(), options, FieldTable::default());
        Ok(u64::from(declared.await.context("the queue is gone")?.message_count()))
    }
}

pub(super) struct Publisher {
    line: Line,
    exchange: String,
}

impl Publisher {
    pub(super) async fn connect(address: &Address, exchange: &str) -> anyhow::Result<Self> {
        let line = Line::open(address).await?;
        line.channel.confirm_select(ConfirmSelectOptions::default()).await.context("no confirmations")?;
        Ok(Self { line, exchange: exchange.to_owned() })
    }
}

impl Publish for Publisher {
    fn send(&self, body: Bytes) -> BoxFuture<'_, anyhow::Result<Confirmation>> {
        async move {
            let options = BasicPublishOptions { mandatory: true, immediate: false };
            let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
            let (exchange, key) = (self.exchange.as_str().into(), ROUTING_KEY.into());
            let sent = self.line.channel.basic_publish(exchange, key, options, &body, properties).await;
            let confirm = sent.context("the channel is closed")?;
            let confirmed = async move {
                anyhow::ensure!(confirm.await.context("the channel is closed")?.is_ack(), "not confirmed");
                Ok(())
            };
            Ok(confirmed.boxed())
        }
        .boxed()
    }
}

pub(super) async fn messages(address: &Address, exchange: &str) -> anyhow::Result<Messages> {
    let line = Line::open(address).await?;
    let queue = format!("{exchange}-{:08x}", rand::random::<u32>());
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    line.bound(exchange, &queue, own).await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consumer =
        line.channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await;
    let mut consumer = consumer.context("the queue cannot be read")?;
    Ok(Messages::of(|sender| async move {
        // The consumer ends with its connection.
        let _line = line;
        while let Some(Ok(delivery)) = consumer.next().await {
            if sender.send(delivery.data.into()).await.is_err() {
                return;
            }
        }
    }))
}

pub(super) fn endpoint(address: &Address, exchange: &str) -> (&'static str, Value) {
    let (username, password) = address.credentials();
    let side = |routing_key: &str| json!({ "enabled": true, "exchange": { "name": exchange, "type": "topic" }, "routingKey": routing_key });
    let configuration = json!({ "serverHost": address.host, "serverPort": address.port,
        "security": { "auth": { "username": username, "password": password } },
        "consumer": side(BINDING), "producer": side(ROUTING_KEY) });
    ("rabbitmq", configuration)
}
