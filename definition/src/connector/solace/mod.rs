//! Solace, reached over its open protocols: AMQP 1.0 and MQTT 5. Its own protocol has no client here.
//!
//! The URL's scheme decides the protocol. A direction whose block was sent is enabled unless it says otherwise.

mod rules;
mod server;
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

pub use server::{Protocol, Server};

pub static SPEC: EndpointSpec = EndpointSpec {
    id: "solace",
    name: "Solace",
    description: "Reads from and writes to topics of Solace, over AMQP 1.0 or MQTT 5",
    api_type: ApiType::Message,
    modes: &[Mode::Publish, Mode::Subscribe],
    features: &[Feature::Limit],
    kind: Some(EndpointKind::Solace),
    schema,
    check,
    enabled,
};

tokens! {
    /// What the broker does with a message before it confirms it.
    pub enum DeliveryMode {
        /// Keeps it in memory.
        Direct = "DIRECT",
        /// Keeps it through a restart, for those that hold a durable subscription.
        Persistent = "PERSISTENT",
    }
}

/// Settings of an endpoint, checked.
#[derive(Debug, Clone)]
pub struct Solace {
    pub server: Server,
    /// Absent: the broker's default.
    pub vpn_name: Option<String>,
    /// Absent: anonymous.
    pub credentials: Option<Credentials>,
    pub ssl: Ssl,
    pub consumer: SolaceConsumer,
    pub producer: SolaceProducer,
}

/// Name and password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The reading side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolaceConsumer {
    pub enabled: bool,
    /// With wildcards; never empty when enabled.
    pub topics: Vec<String>,
}

/// The writing side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolaceProducer {
    pub enabled: bool,
    /// Never empty when enabled.
    pub topics: Vec<String>,
    /// Absent: by the level of the entrypoint.
    pub delivery_mode: Option<DeliveryMode>,
    /// MQTT only.
    pub retained: bool,
    /// Seconds from 1 on; absent: messages do not expire.
    pub message_expiry_interval: Option<u32>,
    pub response_topic: Option<String>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<settings::SolaceSettings>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Solace::parse(settings).err().unwrap_or_default()
}

fn enabled(settings: &Settings) -> Vec<Mode> {
    let Ok(solace) = Solace::parse(settings) else { return SPEC.modes.to_vec() };
    let switches = [(solace.producer.enabled, Mode::Publish), (solace.consumer.enabled, Mode::Subscribe)];
    switches.into_iter().filter(|(on, _)| *on).map(|(_, mode)| mode).collect()
}

impl Solace {
    /// Reads effective settings. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Solace, Vec<Violation>> {
        let settings: settings::SolaceSettings = schema().read(settings)?;
        rules::merge(settings)
    }
}
