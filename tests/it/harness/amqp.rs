//! The world's own RabbitMQ client beside the product: plain declare, publish and take.

use super::rabbitmq::{PASSWORD, USER};
use super::wait::{SOON, until, within};
use lapin::message::Delivery;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use std::time::Duration;

/// How long one look at a starting node may take; a machine under load needs seconds for the handshakes.
const LOOK: Duration = Duration::from_secs(5);
/// Delivery mode of messages that survive a restart.
const PERSISTENT: u8 = 2;

/// A connection with one channel with confirmations.
pub(crate) struct Amqp {
    /// The channel needs it.
    _connection: Connection,
    pub(crate) channel: Channel,
}

impl Amqp {
    pub(crate) async fn connect(port: u16, virtual_host: &str) -> Amqp {
        until("RabbitMQ to let a client in", SOON, async || Amqp::try_connect(port, virtual_host).await).await
    }

    pub(crate) async fn try_connect(port: u16, virtual_host: &str) -> Option<Amqp> {
        let userinfo = AMQPUserInfo { username: USER.to_owned(), password: PASSWORD.to_owned() };
        let uri = AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority { userinfo, host: "127.0.0.1".to_owned(), port },
            vhost: virtual_host.to_owned(),
            query: AMQPQueryString::default(),
        };
        let connecting = async {
            let connection = Connection::connect_uri(uri, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            lapin::Result::Ok(Amqp { _connection: connection, channel })
        };
        tokio::time::timeout(LOOK, connecting).await.ok()?.ok()
    }

    /// A durable exchange.
    pub(crate) async fn exchange(&self, name: &str, kind: ExchangeKind) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = self.channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        within("the exchange", SOON, declared).await.expect("RabbitMQ declares it");
    }

    /// Has a durable queue keep what comes to `exchange` from now on.
    pub(crate) async fn keep(&self, exchange: &str, routing_key: &str, queue: &str) {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let declared = self.channel.queue_declare(queue.into(), options, FieldTable::default());
        within("the queue", SOON, declared).await.expect("RabbitMQ declares it");
        let bound = self.channel.queue_bind(
            queue.into(),
            exchange.into(),
            routing_key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        within("the binding", SOON, bound).await.expect("RabbitMQ binds it");
    }

    /// Publishes every payload; RabbitMQ has confirmed all of them when this returns.
    pub(crate) async fn produce<P: AsRef<str>>(&self, exchange: &str, routing_key: &str, payloads: &[P]) {
        self.produce_with(exchange, routing_key, payloads, BasicProperties::default()).await;
    }

    /// The same with further properties.
    pub(crate) async fn produce_with<P: AsRef<str>>(
        &self,
        exchange: &str,
        routing_key: &str,
        payloads: &[P],
        properties: BasicProperties,
    ) {
        let properties = properties.with_delivery_mode(PERSISTENT);
        let mut confirms = Vec::with_capacity(payloads.len());
        for payload in payloads {
            let sent = self.channel.basic_publish(
                exchange.into(),
                routing_key.into(),
                BasicPublishOptions::default(),
                payload.as_ref().as_bytes(),
                properties.clone(),
            );
            confirms.push(within("the message to be sent", SOON, sent).await.expect("the channel is open"));
        }
        for confirm in confirms {
            let confirmation = within("RabbitMQ's confirmation", SOON * 2, confirm).await;
            assert!(confirmation.expect("the channel is open").is_ack(), "RabbitMQ confirms");
        }
    }

    /// The next message of a queue, which is removed from it.
    pub(crate) async fn next(&self, queue: &str) -> Delivery {
        until(&format!("a message in {queue}"), SOON, async || self.get(queue).await).await
    }

    async fn get(&self, queue: &str) -> Option<Delivery> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await;
        got.expect("the queue exists").map(|message| message.delivery)
    }

    /// Takes `count` messages out of a queue.
    pub(crate) async fn take(&self, queue: &str, count: usize) -> Vec<String> {
        let mut payloads = Vec::with_capacity(count);
        while payloads.len() < count {
            payloads.push(text(&self.next(queue).await));
        }
        payloads
    }

    /// Takes everything that is in a queue now.
    pub(crate) async fn drain(&self, queue: &str) -> Vec<String> {
        let mut payloads = Vec::new();
        while let Some(delivery) = self.get(queue).await {
            payloads.push(text(&delivery));
        }
        payloads
    }
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.data).into_owned()
}
