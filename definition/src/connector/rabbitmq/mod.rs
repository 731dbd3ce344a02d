//! RabbitMQ: messages go through exchanges, and a reader has a queue that is bound to one (AMQP 0-9-1).
//!
//! The reading and the writing side each name an exchange and a routing key; a side is off unless it says `enabled`.
//! What `security.ssl` holds is only checked here; gateways open the stores.

mod rules;
mod settings;
#[cfg(test)]
mod tests;

use super::settings::SettingsSchema;
use super::ssl::Ssl;
use super::{EndpointSpec, Feature, Mode};
use crate::api::{ApiType, Settings};
use crate::qos::EndpointKind;
use crate::token::tokens;
use crate::violation::Violation;
use std::sync::LazyLock;

pub static SPEC: EndpointSpec = EndpointSpec {
    id: "rabbitmq",
    name: "RabbitMQ",
    description: "Reads from and writes to exchanges of RabbitMQ",
    api_type: ApiType::Message,
    modes: &[Mode::Publish, Mode::Subscribe],
    features: &[Feature::Limit],
    kind: Some(EndpointKind::RabbitMq),
    schema,
    check,
    enabled,
};

/// Port of plain connections.
pub const PORT: u16 = 5672;
/// Port of TLS connections.
pub const TLS_PORT: u16 = 5671;
/// Longest name of an exchange, a queue or a virtual host, and longest routing key, bytes: what the protocol can carry.
pub const NAME_MAX_BYTES: usize = 255;

tokens! {
    /// How an exchange chooses the queues of a message.
    pub enum ExchangeType { Direct = "direct", Topic = "topic", Fanout = "fanout", Headers = "headers" }
}

/// Settings of an endpoint, checked. It holds a password, so it cannot be printed.
#[derive(Clone)]
pub struct RabbitMq {
    /// Without brackets when it is an IPv6 address.
    pub host: String,
    pub port: u16,
    pub virtual_host: String,
    pub username: String,
    pub password: String,
    /// `None`: the connection is not encrypted.
    pub ssl: Option<Ssl>,
    /// `None`: nothing is read.
    pub consumer: Option<Route>,
    /// `None`: nothing is written.
    pub producer: Option<Route>,
}

/// Where one side reads from or writes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    pub exchange: Exchange,
    /// Never longer than `NAME_MAX_BYTES`; empty only where the exchange does not look at it.
    pub routing_key: String,
}

/// An exchange as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Exchange {
    /// 1 to `NAME_MAX_BYTES` bytes.
    pub name: String,
    pub kind: ExchangeType,
    pub durable: bool,
    pub auto_delete: bool,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<settings::RabbitMqSettings>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    RabbitMq::parse(settings).err().unwrap_or_default()
}

fn enabled(settings: &Settings) -> Vec<Mode> {
    let Ok(rabbit) = RabbitMq::parse(settings) else { return SPEC.modes.to_vec() };
    let switches = [(rabbit.producer.is_some(), Mode::Publish), (rabbit.consumer.is_some(), Mode::Subscribe)];
    switches.into_iter().filter(|(on, _)| *on).map(|(_, mode)| mode).collect()
}

impl RabbitMq {
    /// Reads effective settings. Paths of violations are relative to the settings.
    ///
    /// # Errors
    /// Every violation.
    pub fn parse(settings: &Settings) -> Result<RabbitMq, Vec<Violation>> {
        let settings: settings::RabbitMqSettings = schema().read(settings)?;
        rules::read(settings)
    }
}
