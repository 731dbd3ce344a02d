//! MQTT 5: reading a topic filter and writing to a topic of one broker.
//!
//! Both spellings of the settings end in one view: the flat `topic` stands in for a direction that names none, a block
//! that was sent is enabled unless it says otherwise, and a direction without a block is enabled exactly when there is
//! a topic for it that it can use (nobody writes to a filter with wildcards).

mod rules;
mod settings;
#[cfg(test)]
mod tests;

use super::settings::SettingsSchema;
use super::ssl::Ssl;
use super::{EndpointSpec, Feature, Mode};
use crate::api::{ApiType, Settings};
use crate::qos::EndpointKind;
use crate::violation::Violation;
use std::sync::LazyLock;

pub static SPEC: EndpointSpec = EndpointSpec {
    id: "mqtt5",
    name: "MQTT 5.x",
    description: "Reads from and writes to topics of an MQTT 5 broker",
    api_type: ApiType::Message,
    modes: &[Mode::Publish, Mode::Subscribe],
    features: &[Feature::Limit],
    kind: Some(EndpointKind::Mqtt5),
    schema,
    check,
    enabled,
};

/// The id of the same implementation in documents that were made for the enterprise edition of the field.
pub static ADVANCED: EndpointSpec = EndpointSpec {
    id: "mqtt5-advanced",
    name: "MQTT 5.x Advanced",
    description: "Reads from and writes to topics of an MQTT 5 broker, with credentials and TLS",
    api_type: SPEC.api_type,
    modes: SPEC.modes,
    features: SPEC.features,
    kind: SPEC.kind,
    schema,
    check,
    enabled,
};

/// Settings of an endpoint, merged from both spellings and checked. Not printable: they hold secrets.
#[derive(Clone)]
pub struct Mqtt5 {
    /// A name or an address, an IPv6 address without brackets.
    pub server_host: String,
    pub server_port: u16,
    /// Attempts to connect again after a connection was lost.
    pub reconnect_attempts: u32,
    /// Seconds that a broker keeps an absent reader's session; `u32::MAX`: for ever. `None`: not said.
    pub session_expiry_interval: Option<u32>,
    /// Whether a reader's session begins empty. `None`: not said.
    pub clean_start: Option<bool>,
    pub consumer: Consumer,
    pub producer: Producer,
    pub auth: Option<Auth>,
    /// `None`: no TLS.
    pub ssl: Option<Ssl>,
}

/// The reading side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    pub enabled: bool,
    /// A topic filter. Present when enabled.
    pub topic: Option<String>,
}

/// The writing side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    pub enabled: bool,
    /// A topic name. Present when enabled.
    pub topic: Option<String>,
    pub retained: bool,
    pub response_topic: Option<String>,
    /// Seconds after which a broker may drop a message; `None`: never.
    pub message_expiry_interval: Option<u32>,
}

/// What the gateway says who it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    pub username: String,
    pub password: Option<String>,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<settings::Mqtt5Settings>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Mqtt5::parse(settings).err().unwrap_or_default()
}

fn enabled(settings: &Settings) -> Vec<Mode> {
    let Ok(mqtt5) = Mqtt5::parse(settings) else { return SPEC.modes.to_vec() };
    let switches = [(mqtt5.producer.enabled, Mode::Publish), (mqtt5.consumer.enabled, Mode::Subscribe)];
    switches.into_iter().filter(|(on, _)| *on).map(|(_, mode)| mode).collect()
}

impl Mqtt5 {
    /// Reads effective settings. Paths of violations are relative to the settings.
    ///
    /// # Errors
    /// Every fault of the settings.
    pub fn parse(settings: &Settings) -> Result<Mqtt5, Vec<Violation>> {
        let settings: settings::Mqtt5Settings = schema().read(settings)?;
        let violations = rules::violations(&settings);
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(rules::merge(settings))
    }
}

/// Whether messages can be sent to a topic of this name.
pub fn is_topic_name(topic: &str) -> bool {
    is_topic_text(topic) && !topic.contains(['+', '#'])
}

/// Whether a reader can ask for the topics that this filter matches.
pub fn is_topic_filter(filter: &str) -> bool {
    // The group of a shared subscription is the client identifier's; an author cannot choose it.
    is_topic_text(filter) && !filter.starts_with("$share/") && wildcards_are_levels(filter)
}

fn is_topic_text(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= TOPIC_MAX_BYTES && !topic.contains('\0')
}

/// `+` and `#` fill a level of their own, and nothing follows `#`.
fn wildcards_are_levels(filter: &str) -> bool {
    let last = filter.split('/').count() - 1;
    filter.split('/').enumerate().all(|(index, level)| match level {
        "#" => index == last,
        "+" => true,
        level => !level.contains(['+', '#']),
    })
}

/// Greatest topic, bytes. The protocol's limit less room for the name of a reader's group.
pub const TOPIC_MAX_BYTES: usize = 60_000;
