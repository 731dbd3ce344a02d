//! Kafka: one consumer and one producer side over the same brokers.
//!
//! Both spellings of the settings end in one view: top-level `topics` stand in for a direction that names none, a
//! block that was sent is enabled unless it says otherwise, and a direction without a block is enabled exactly when
//! there are topics for it.

mod jaas;
mod login;
mod rules;
mod security;
mod settings;
#[cfg(test)]
mod tests;
mod topic_pattern;

use super::settings::SettingsSchema;
use super::{EndpointSpec, Feature, Mode};
use crate::api::{ApiType, Settings};
use crate::expression::Template;
use crate::qos::EndpointKind;
use crate::token::tokens;
use crate::violation::Violation;
use std::sync::LazyLock;

pub use login::Login;
pub use security::{Sasl, Security};
pub use settings::{SaslMechanism, SecurityProtocol};
pub use topic_pattern::TopicPattern;

pub static SPEC: EndpointSpec = EndpointSpec {
    id: "kafka",
    name: "Kafka",
    description: "Reads from and writes to topics of Apache Kafka",
    api_type: ApiType::Message,
    modes: &[Mode::Publish, Mode::Subscribe],
    features: &[Feature::Limit, Feature::Resume],
    kind: Some(EndpointKind::Kafka),
    schema,
    check,
    enabled,
};

/// The id of the same implementation in documents that ask for every quality of service.
pub static ADVANCED: EndpointSpec = EndpointSpec {
    id: "kafka-advanced",
    name: "Kafka Advanced",
    description: "Reads from and writes to topics of Apache Kafka, with every quality of service",
    api_type: SPEC.api_type,
    modes: SPEC.modes,
    features: SPEC.features,
    kind: Some(EndpointKind::KafkaAdvanced),
    schema,
    check,
    enabled,
};

tokens! {
    /// Where a reader starts whose group has no position.
    pub enum AutoOffsetReset { Latest = "latest", Earliest = "earliest", None = "none" }
}

tokens! {
    /// Compression of batches.
    pub enum CompressionType { None = "none", Gzip = "gzip", Snappy = "snappy", Lz4 = "lz4", Zstd = "zstd" }
}

/// Settings of an endpoint, merged from both spellings and checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kafka {
    /// `host:port`, separated by commas, without blanks. A template when `templates` names it.
    pub bootstrap_servers: String,
    pub consumer: KafkaConsumer,
    pub producer: KafkaProducer,
    pub security: Security,
}

/// The reading side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KafkaConsumer {
    pub enabled: bool,
    /// Never empty when enabled, unless there is a pattern.
    pub topics: Vec<String>,
    /// Excludes `topics`.
    pub topic_pattern: Option<TopicPattern>,
    pub encode_message_id: bool,
    pub auto_offset_reset: AutoOffsetReset,
    pub check_topic_existence: bool,
    pub remove_confluent_header: bool,
}

/// The writing side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KafkaProducer {
    pub enabled: bool,
    /// Never empty when enabled.
    pub topics: Vec<String>,
    pub compression_type: CompressionType,
}

fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<settings::KafkaSettings>);
    &SCHEMA
}

fn check(settings: &Settings) -> Vec<Violation> {
    Kafka::parse(settings).err().unwrap_or_default()
}

fn enabled(settings: &Settings) -> Vec<Mode> {
    let Ok(kafka) = Kafka::parse(settings) else { return SPEC.modes.to_vec() };
    let switches = [(kafka.producer.enabled, Mode::Publish), (kafka.consumer.enabled, Mode::Subscribe)];
    switches.into_iter().filter(|(on, _)| *on).map(|(_, mode)| mode).collect()
}

impl Kafka {
    /// Reads effective settings as their author wrote them. Paths of violations are relative to the settings.
    pub fn parse(settings: &Settings) -> Result<Kafka, Vec<Violation>> {
        Kafka::read(settings, false)
    }

    /// Reads settings whose expressions were evaluated: what still looks like one is text.
    pub fn evaluated(settings: &Settings) -> Result<Kafka, Vec<Violation>> {
        Kafka::read(settings, true)
    }

    fn read(settings: &Settings, evaluated: bool) -> Result<Kafka, Vec<Violation>> {
        let settings: settings::KafkaSettings = schema().read(settings)?;
        let violations = rules::violations(&settings, evaluated);
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(rules::merge(settings, evaluated))
    }

    /// Settings that hold expressions, by their paths. They are evaluated for each call.
    pub fn templates(settings: &Settings) -> Vec<(&'static str, Template)> {
        let settings: Result<settings::KafkaSettings, _> = schema().read(settings);
        settings.map(|settings| rules::templates(&settings)).unwrap_or_default()
    }
}
