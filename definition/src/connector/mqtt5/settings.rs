//! MQTT settings as authors write them: the flat beta spelling (one `topic`) and the split 4.x spelling (a topic per
//! direction in the shared part) are members of one struct.

use crate::connector::ssl::SslSettings;
use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of an MQTT endpoint.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "MQTT 5.x")]
pub(super) struct Mqtt5Settings {
    /// Host of the broker.
    #[schemars(length(min = 1), extend("x-secret-address" = true))]
    pub(super) server_host: String,
    /// Port of the broker.
    #[schemars(range(min = 1, max = 65_535), extend("x-secret-address" = true))]
    pub(super) server_port: u16,
    /// Topic of both directions; one in `consumer` or `producer` takes its place there.
    pub(super) topic: Option<String>,
    /// Attempts to connect again after a connection was lost, before readers are told. Absent: 3.
    #[schemars(range(min = 0, max = 10))]
    pub(super) reconnect_attempts: Option<u32>,
    /// Other spelling of `reconnectAttempts`.
    #[schemars(range(min = 0, max = 10))]
    pub(super) reconnect_attempt: Option<u32>,
    /// Seconds that the broker keeps messages for an absent reader; -1: for ever. Absent: a day, and nothing with
    /// quality of service none.
    #[schemars(range(max = 4_294_967_295_i64))]
    pub(super) session_expiry_interval: Option<i64>,
    /// Whether a reader that comes back begins without the messages that waited for it. Absent: no.
    pub(super) clean_start: Option<bool>,
    /// Reading from the broker.
    pub(super) consumer: Option<ConsumerSettings>,
    /// Writing to the broker.
    pub(super) producer: Option<ProducerSettings>,
    /// Credentials and TLS.
    pub(super) security: Option<SecuritySettings>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConsumerSettings {
    /// Whether messages are read.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// Topic filter to read, with `+` and `#` as wildcards.
    pub(super) topic: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProducerSettings {
    /// Whether messages are written.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// Topic to write to.
    pub(super) topic: Option<String>,
    /// Whether the broker keeps the last message of the topic for those who come later.
    #[serde(default)]
    pub(super) retained: bool,
    /// Topic that answers are expected on; it is sent along.
    pub(super) response_topic: Option<String>,
    /// Seconds after which the broker may drop a message that nobody took; -1 or absent: never.
    #[schemars(range(max = 4_294_967_295_i64))]
    pub(super) message_expiry_interval: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SecuritySettings {
    /// User of the broker.
    pub(super) auth: Option<AuthSettings>,
    /// TLS. Stores that are all of type `NONE` mean a connection without TLS.
    pub(super) ssl: Option<SslSettings>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuthSettings {
    /// Name of the user.
    pub(super) username: Option<String>,
    /// Password of the user.
    #[schemars(extend("x-secret" = true))]
    pub(super) password: Option<String>,
}

fn yes() -> bool {
    true
}
