//! Kafka settings as authors write them: the flat beta spelling (one `topics` list) and the split 4.x spelling
//! (topics per direction in the shared part) are members of one struct.

use super::security::SecuritySettings;
use super::{AutoOffsetReset, CompressionType};
use crate::token::tokens;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of a Kafka endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Kafka")]
pub(super) struct KafkaSettings {
    /// Brokers to start from: `host:port`, separated by commas; may hold expressions.
    #[schemars(length(min = 1), extend("x-secret-address" = true))]
    pub(super) bootstrap_servers: String,
    /// Topics of both directions; a list in `consumer` or `producer` takes its place there.
    #[schemars(length(min = 1))]
    pub(super) topics: Option<Vec<String>>,
    /// Reading from Kafka.
    pub(super) consumer: Option<ConsumerSettings>,
    /// Writing to Kafka.
    pub(super) producer: Option<ProducerSettings>,
    /// How connections are secured.
    pub(super) security: Option<SecuritySettings>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConsumerSettings {
    /// Whether messages are read.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// Topics to read.
    #[schemars(length(min = 1))]
    pub(super) topics: Option<Vec<String>>,
    /// Regular expression that the whole name of a topic has to match to be read; excludes `topics`.
    #[schemars(length(min = 1))]
    pub(super) topic_pattern: Option<String>,
    /// Whether message ids are base64.
    #[serde(default = "yes")]
    pub(super) encode_message_id: bool,
    /// Where a reader starts whose group has no position.
    #[serde(default = "latest")]
    pub(super) auto_offset_reset: AutoOffsetReset,
    /// Whether a missing topic is an error before anything is read. Absent: no.
    pub(super) check_topic_existence: Option<bool>,
    /// Whether the five bytes of a schema registry are cut off values. Absent: no.
    pub(super) remove_confluent_header: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProducerSettings {
    /// Whether messages are written.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// Topics to write to; each message goes to every one of them.
    #[schemars(length(min = 1))]
    pub(super) topics: Option<Vec<String>>,
    /// Compression of batches. Absent: none.
    pub(super) compression_type: Option<CompressionType>,
}

tokens! {
    /// Protocol of the broker's listener.
    pub enum SecurityProtocol {
        Plaintext = "PLAINTEXT", SaslPlaintext = "SASL_PLAINTEXT", SaslSsl = "SASL_SSL", Ssl = "SSL",
    }
}

tokens! {
    /// SASL mechanisms.
    pub enum SaslMechanism {
        Gssapi = "GSSAPI", Oauthbearer = "OAUTHBEARER", Plain = "PLAIN",
        ScramSha256 = "SCRAM-SHA-256", ScramSha512 = "SCRAM-SHA-512", AwsMskIam = "AWS_MSK_IAM",
    }
}

fn yes() -> bool {
    true
}

fn latest() -> AutoOffsetReset {
    AutoOffsetReset::Latest
}
