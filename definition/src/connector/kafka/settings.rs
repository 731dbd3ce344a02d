//! Kafka settings as authors write them: the flat beta spelling (one `topics` list) and the split 4.x spelling
//! (topics per direction in the shared part) are members of one struct.

use super::{AutoOffsetReset, CompressionType, SecurityProtocol};
use crate::token::tokens;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of a Kafka endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Kafka")]
pub(super) struct KafkaSettings {
    /// Brokers to start from: `host:port`, separated by commas.
    #[schemars(length(min = 1))]
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
    /// Regular expression of the topics to read; excludes `topics`.
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

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecuritySettings {
    /// Protocol of the broker's listener.
    #[serde(default = "plaintext")]
    pub(super) protocol: SecurityProtocol,
    /// Authentication.
    #[serde(rename = "sasl")]
    _sasl: Option<SaslSettings>,
    /// Certificates.
    #[serde(rename = "ssl")]
    _ssl: Option<SslSettings>,
}

tokens! {
    /// SASL mechanisms.
    pub enum SaslMechanism {
        Gssapi = "GSSAPI", Oauthbearer = "OAUTHBEARER", Plain = "PLAIN",
        ScramSha256 = "SCRAM-SHA-256", ScramSha512 = "SCRAM-SHA-512", AwsMskIam = "AWS_MSK_IAM",
    }
}

tokens! {
    /// Formats of key and trust stores.
    pub enum StoreType { None = "NONE", Jks = "JKS", Pkcs12 = "PKCS12", Pem = "PEM" }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SaslSettings {
    /// Mechanism.
    #[serde(rename = "saslMechanism")]
    _mechanism: Option<SaslMechanism>,
    /// Login module line with its credentials.
    #[serde(rename = "saslJaasConfig")]
    #[schemars(extend("x-secret" = true))]
    _jaas_config: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SslSettings {
    /// Whether the certificate must name the host.
    #[serde(rename = "hostnameVerifier")]
    _hostname_verifier: Option<bool>,
    /// Certificates that are trusted.
    #[serde(rename = "trustStore")]
    _trust_store: Option<TrustStore>,
    /// The client's certificate and key.
    #[serde(rename = "keyStore")]
    _key_store: Option<KeyStore>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TrustStore {
    /// Format.
    #[serde(rename = "type")]
    _store_type: Option<StoreType>,
    /// File of the store.
    #[serde(rename = "location")]
    _location: Option<String>,
    /// The store itself, base64 when it is binary.
    #[serde(rename = "content")]
    _content: Option<String>,
    /// PEM certificates.
    #[serde(rename = "certificates")]
    _certificates: Option<String>,
    /// Password of the store.
    #[serde(rename = "password")]
    #[schemars(extend("x-secret" = true))]
    _password: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyStore {
    /// Format.
    #[serde(rename = "type")]
    _store_type: Option<StoreType>,
    /// File of the store.
    #[serde(rename = "location")]
    _location: Option<String>,
    /// The store itself, base64 when it is binary.
    #[serde(rename = "content")]
    #[schemars(extend("x-secret" = true))]
    _content: Option<String>,
    /// Password of the store.
    #[serde(rename = "password")]
    #[schemars(extend("x-secret" = true))]
    _password: Option<String>,
    /// Password of the key.
    #[serde(rename = "keyPassword")]
    #[schemars(extend("x-secret" = true))]
    _key_password: Option<String>,
    /// PEM key.
    #[serde(rename = "key")]
    #[schemars(extend("x-secret" = true))]
    _key: Option<String>,
    /// PEM certificates, the client's first.
    #[serde(rename = "certificateChain")]
    _certificate_chain: Option<String>,
}

fn yes() -> bool {
    true
}

fn latest() -> AutoOffsetReset {
    AutoOffsetReset::Latest
}

fn plaintext() -> SecurityProtocol {
    SecurityProtocol::Plaintext
}
